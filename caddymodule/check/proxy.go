package check

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
)

// proxy is a reverse_proxy or php_fastcgi.
type proxy struct {
	at        place
	addresses []address

	// guards are the data headers of the session handlers that a request may have passed. cleaned
	// are those that no client can have forged.
	guards, cleaned []string
}

// address is the address of an app, as it is written, and in a form that all its spellings share.
type address struct{ written, key string }

// proxy looks at a proxy.
func (c *checker) proxy(raw json.RawMessage, s *state, at place) {
	var h struct {
		Upstreams []struct{ Dial string }
		Dynamic   json.RawMessage `json:"dynamic_upstreams"`
	}
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	p := proxy{at: at}
	for _, u := range h.Upstreams {
		p.addresses = append(p.addresses, address{u.Dial, canonical(u.Dial)})
	}
	if h.Dynamic != nil {
		p.addresses = append(p.addresses, address{string(h.Dynamic), string(h.Dynamic)})
	}
	for _, passed := range s.passed {
		if passed.certain && !passed.failed {
			p.cleaned = append(p.cleaned, passed.data)
		}
		if !passed.cleans && !passed.failed {
			p.guards = append(p.guards, passed.data)
		}
	}
	c.proxies = append(c.proxies, p)
}

// canonical returns one form of all names of this machine.
func canonical(dial string) string {
	host, port, err := net.SplitHostPort(dial)
	if err != nil {
		return dial
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	return strings.ToLower(net.JoinHostPort(host, port))
}

// bypasses reports proxies to an app that gets sessions elsewhere. There, the app trusts headers
// that here any client can send.
func (c *checker) bypasses() {
	guards := make(map[string]map[string]place) // the data headers of each address, and where
	for _, p := range c.proxies {
		for _, address := range p.addresses {
			for _, header := range p.guards {
				if guards[address.key] == nil {
					guards[address.key] = make(map[string]place)
				}
				guards[address.key][header] = p.at
			}
		}
	}
	for _, p := range c.proxies {
		for _, address := range p.addresses {
			for _, header := range sortedKeys(guards[address.key]) {
				if slices.Contains(p.cleaned, header) {
					continue
				}
				what := fmt.Sprintf("%s is reached here without the session that it has at %q: anybody can send it %s", address.written, guards[address.key][header].text, header)
				if slices.Contains(p.guards, header) {
					what = fmt.Sprintf("%s is reached without its session by the requests that the matcher of the session leaves out: anybody can send it %s", address.written, header)
				}
				c.add(kindBypass, p.at, c.lines.of("", address.written), what,
					"put session before this proxy too, or into the site around both; in JSON, session_clean before session cleans what its matcher leaves out")
			}
		}
	}
}
