package parts

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/internal/config"
)

// Report is what became of the session of a request. A text is empty if there is nothing to say.
type Report struct {
	// Outcome says what the session cookies have led to.
	Outcome string

	// Commit says whether a change was saved.
	Commit string

	// Cookie says what was decided about the session cookie, whose name is CookieName. Refused is
	// the reason if browsers refuse the one that was set.
	Cookie, CookieName, Refused string

	// Store is how long loading and saving took.
	Store time.Duration
}

// Explain shows the report of a request to people at work on the site, in a response header. The
// app cannot set the header.
type Explain struct {
	forwardsNothing
	header string
	ranges []netip.Prefix
}

// NewExplain returns the part for clients in these ranges. Without ranges, it only removes the
// header that the app has set.
func NewExplain(header string, ranges []string) (*Explain, error) {
	prefixes, err := prefixesOf(ranges)
	return &Explain{header: header, ranges: prefixes}, err
}

// Takes implements [Part].
func (p *Explain) Takes() string { return p.header }

// Take implements [Part]. What the app has set is ignored.
func (*Explain) Take(*View, []string, *Answer) error { return nil }

// For reports whether the client of a request may see its report. If the request has come through a
// proxy that Caddy does not trust, nobody knows its client.
func (p *Explain) For(r *http.Request) bool {
	if len(p.ranges) == 0 {
		return false
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	proxied := slices.ContainsFunc(proxyHeaders, func(name string) bool { return r.Header[name] != nil })
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	ip, err := netip.ParseAddr(client)
	if err != nil || proxied && !trusted {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p.ranges, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// proxyHeaders are what proxies add to requests.
var proxyHeaders = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip"}

// Show sets the header to an RFC 9651 dictionary, and returns its line.
func (p *Explain) Show(r *Report, h http.Header) []string {
	dict := httpsfv.NewDictionary()
	token := func(name, value string) {
		if value != "" {
			dict.Add(name, httpsfv.NewItem(httpsfv.Token(value)))
		}
	}
	token("outcome", r.Outcome)
	dict.Add("store-ms", httpsfv.NewItem(math.Round(float64(r.Store.Microseconds()))/1000))
	token("commit", r.Commit)
	cookie := httpsfv.NewItem(httpsfv.Token(r.Cookie))
	cookie.Params.Add("name", r.CookieName)
	if r.Refused != "" {
		cookie.Params.Add("refused", r.Refused)
	}
	dict.Add("cookie", cookie)
	text, err := httpsfv.Marshal(dict)
	if err != nil {
		return nil // a name of a cookie that no header can have
	}
	h[p.header] = []string{text}
	return h[p.header]
}

// ExplainOption is the option explain.
func ExplainOption(to *[]string) config.Option {
	return config.Func(func(d *caddyfile.Dispenser) error {
		option, args := d.Val(), d.RemainingArgs()
		switch {
		case len(args) == 1 && args[0] == "off":
			*to = nil
			return nil
		case len(args) == 0 || args[0] != "on":
			return d.Errf("%s must be off, or on and the ranges of the clients' addresses", option)
		case len(args) == 1:
			*to = loopback
			return nil
		}
		for _, expr := range args[1:] {
			if expr == "private_ranges" {
				*to = append(*to, caddyhttp.PrivateRangesCIDR()...)
			} else {
				*to = append(*to, expr)
			}
		}
		return nil
	}).Also(func() error {
		_, err := prefixesOf(*to)
		return err
	})
}

var loopback = []string{"127.0.0.0/8", "::1"}

func prefixesOf(ranges []string) (prefixes []netip.Prefix, err error) {
	for _, expr := range ranges {
		prefix, err := caddyhttp.CIDRExpressionToPrefix(expr)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// Interface guard
var _ Part = (*Explain)(nil)
