package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/internal/config"
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
	p := proxy{at: at, guards: s.guards()}
	for _, u := range h.Upstreams {
		p.addresses = append(p.addresses, address{u.Dial, canonical(u.Dial)})
	}
	if h.Dynamic != nil {
		p.addresses = append(p.addresses, address{string(h.Dynamic), dynamic(h.Dynamic)})
	}
	for _, passed := range s.passed {
		if passed.certain && !passed.failed {
			p.cleaned = append(p.cleaned, passed.data)
		}
	}
	c.proxies = append(c.proxies, p)
}

// canonical returns one form of all spellings of the address of an app, as far as they can be known
// here.
func canonical(dial string) string {
	if value, err := config.Resolve("dial", dial); err == nil {
		dial = value
	}
	network, host, port, err := caddy.SplitNetworkAddress(dial)
	switch {
	case err != nil || caddy.IsFdNetwork(network):
		return dial
	case caddy.IsUnixNetwork(network):
		if path, err := config.Path("dial", host, ""); err == nil && !strings.HasPrefix(host, "@") {
			host = path
		}
		return "unix/" + host
	case strings.HasPrefix(network, "tcp"):
		network = ""
	}
	if !strings.Contains(host, "{") { // names of variables are not the same in both cases
		host = strings.ToLower(strings.TrimSuffix(host, "."))
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || strings.HasSuffix("."+host, ".localhost"), err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified()):
		host = "localhost" // Go dials this machine for no host, and for 0.0.0.0
	case err == nil:
		host = ip.Unmap().String()
	}
	return caddy.JoinNetworkAddress(network, host, strings.TrimLeft(port, "0"))
}

// dynamic returns one form of all spellings of upstreams that are looked up.
func dynamic(raw json.RawMessage) string {
	var a struct{ Source, Name, Port string }
	if json.Unmarshal(raw, &a) == nil && a.Source == "a" && a.Name != "" {
		return canonical(net.JoinHostPort(a.Name, cmp.Or(a.Port, "80")))
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return string(raw)
	}
	return fmt.Sprint(value)
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
				what := fmt.Sprintf("%s is reached here without the session that it has at %q: anybody can send it %s", address.written, guards[address.key][header].text, http.CanonicalHeaderKey(header))
				if slices.Contains(p.guards, header) {
					what = fmt.Sprintf("%s is reached without its session by the requests that the matcher of the session leaves out: anybody can send it %s", address.written, http.CanonicalHeaderKey(header))
				}
				c.add(kindBypass, p.at, c.lines.address(address.written), what,
					"put session before this proxy too, or into the site around both; in JSON, session_clean before session cleans what its matcher leaves out")
			}
		}
	}
}
