package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// session is a session handler, or a session_clean.
type session struct {
	Name         string
	Scope        string
	HeaderPrefix string `json:"header_prefix"`
	Secret       []string
	Store        json.RawMessage
	Dialect      json.RawMessage
	Cookie       *cookie.Options
	User         json.RawMessage
	Inject       map[string]string

	// Headers are those of a session_clean.
	Headers []string

	cleans bool
	data   string // the name of the data header
	at     place
	lines  []string
}

// session looks at a session handler.
func (c *checker) session(raw json.RawMessage, cleans bool, s state, at place) state {
	h := &session{cleans: cleans, at: at}
	if json.Unmarshal(raw, h) != nil {
		return s
	}
	switch {
	case cleans && len(h.Headers) > 0:
		h.data = wire.Fold(h.Headers[0])
	case h.HeaderPrefix != "":
		h.data = wire.Fold(h.HeaderPrefix + "Data")
	case h.Name != "":
		h.data = wire.Fold("X-Session-" + h.Name + "-Data")
	default:
		h.data = wire.Fold("X-Session-Data")
	}
	after := s
	after.passed = append(slices.Clip(s.passed), passed{session: h, certain: true})
	if cleans {
		return after
	}
	prefix := "http.session."
	if h.Name != "" {
		prefix += h.Name + "."
	}
	for _, header := range sortedKeys(h.Inject) {
		from := h.Inject[header] // a field, or a template
		if !strings.Contains(from, "{") {
			from = "{" + prefix + "data." + from + "}"
		}
		after.copy("http.request.header."+header, after.written(from))
	}
	h.lines = c.lines.of("session")
	c.sessions = append(c.sessions, h)
	if s.answered != "" {
		c.add(kindBehind, at, h.lines, fmt.Sprintf("no request gets to this session: %s answers all of them before", s.answered),
			"put session before it; outside of route, Caddy orders them so")
	}
	for _, p := range s.passed {
		if p.certain && !p.cleans && (p.data == h.data || p.names().Meet(h.names())) {
			c.add(kindCookie, at, h.lines, "a request that gets here has passed another session handler with the same cookie or header names: it is a 500",
				"remove one of them, or give one of them another name")
		}
	}
	if len(h.Secret) == 0 && !h.shared() && !c.sharedStorage && stores.Remote(config.Peek(stores.Namespace, "backend", h.Store)) {
		c.add(kindSecret, at, c.lines.of("store"), "the store is on the network, and there is no secret: another Caddy on this store has another key, and does not know the cookies of this one",
			"give all of them the same secret (openssl rand -base64 32 makes one), or the same storage")
	}
	return after
}

// gate looks at a session_gate.
func (c *checker) gate(raw json.RawMessage, s *state, at place) {
	var h struct{ Name, Field, Login string }
	if json.Unmarshal(raw, &h) != nil || s.find(h.Name) {
		return
	}
	name := named(h.Name)
	c.add(kindGate, at, c.lines.of("session_gate", h.Field), "there is no "+name+" before this session_gate: every request is a 500",
		"put the "+name+" before it, or write the name of that session into the block of session_gate")
}

func named(name string) string {
	if name == "" {
		return "session"
	}
	return "session with the name " + name
}

// devices looks at a session_devices.
func (c *checker) devices(raw json.RawMessage, s *state, at place) {
	var h struct{ Name string }
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	name, of, lines := named(h.Name), s.last(h.Name), c.lines.of("session_devices")
	switch {
	case of == nil:
		c.add(kindDevices, at, lines, "there is no "+name+" before this session_devices: every request is a 500",
			"put the "+name+" before it, or write the name of that session into the block of session_devices")
	case of.User == nil:
		c.add(kindDevices, at, lines, "the "+name+" before this session_devices has no option user: every request is a 401",
			"set the option user of that session to the field of the data that names the user")
	}
}

// page looks at a session_admin.
func (c *checker) page(s *state, at place) {
	if !s.operator {
		c.add(kindPage, at, c.lines.of("session_admin"), "nothing before this session_admin authenticates an operator: every request is a 403",
			"put basic_auth, or another handler that sets {http.auth.user.id}, before it, with a matcher that covers it")
	}
}

// authenticates reports whether a handler may set who has authenticated. Plugins may.
func authenticates(handler string, raw json.RawMessage) bool {
	info, err := caddy.GetModule("http.handlers." + handler)
	if err != nil || handler == "authentication" || strings.Contains(string(raw), "http.auth.user.id") {
		return true
	}
	path := reflect.Indirect(reflect.ValueOf(info.New())).Type().PkgPath()
	return !strings.HasPrefix(path, "github.com/caddyserver/caddy/v2/") && !strings.HasPrefix(path, addons.Root+"/")
}

// shared reports whether the dialect is an app's, with a secret of its own.
func (h *session) shared() bool {
	_, shared := config.Peek(dialects.Namespace, "format", h.Dialect).(dialects.Shared)
	return shared
}

// names are the names of the session cookie.
func (h *session) names() cookie.Names {
	if h.Cookie == nil || h.Cookie.Name == "" {
		if d, ok := config.Peek(dialects.Namespace, "format", h.Dialect).(dialects.Shared); ok && d.CookieName() != "" {
			return cookie.Names{d.CookieName()}
		}
	}
	return h.Cookie.NamesIn(h.Name)
}

func (h *session) attributes() cookie.Options {
	if h.Cookie == nil {
		return cookie.Options{}
	}
	return *h.Cookie
}

// cookies reports handlers that set one cookie and keep different sessions: each takes the cookie
// of the other for a forged or unknown one, and replaces it.
func (c *checker) cookies() {
	for i, b := range c.sessions {
		for _, a := range c.sessions[:i] {
			if !a.names().Meet(b.names()) || a.same(b) || !sameHost(a, b) || !samePath(a, b) {
				continue
			}
			c.add(kindCookie, b.at, b.lines,
				fmt.Sprintf("it has the same cookie as the session at %q, and other options: each replaces the cookie of the other, and logs its users out", a.at.text),
				"give one of them another name (or cookie name), or both the same store, secret and scope")
		}
	}
}

// moved reports handlers that use a store alone from which another takes sessions away.
func (c *checker) moved() {
	for _, a := range c.sessions {
		var pair struct {
			Backend  string
			From, To json.RawMessage
			Hold     bool
		}
		if len(a.Store) == 0 || json.Unmarshal(a.Store, &pair) != nil || pair.Backend != "moving" || pair.Hold {
			continue
		}
		for _, b := range c.sessions {
			if equal(b.Store, pair.From, bolt) {
				c.add(kindMoved, b.at, b.lines, fmt.Sprintf("it uses a store alone from which the session at %q moves sessions away: its users are logged out when theirs have moved", a.at.text),
					"give both the same store moving { }, with hold until all have it")
			}
		}
	}
}

// same reports whether two handlers keep the same sessions.
func (h *session) same(other *session) bool {
	return h.Name == other.Name && h.Scope == other.Scope && slices.Equal(h.Secret, other.Secret) &&
		equal(h.Store, other.Store, bolt) && equal(h.Dialect, other.Dialect, native) && h.attributes().Domain == other.attributes().Domain
}

// bolt and native are the store and the dialect of a session that names none.
const (
	bolt   = `{"backend":"bolt"}`
	native = `{"format":"native"}`
)

// equal reports whether two modules are the same, however they are written. byDefault stands for
// one that is missing.
func equal(a, b json.RawMessage, byDefault string) bool {
	value := func(raw json.RawMessage) (v any) {
		if json.Unmarshal(raw, &v) != nil || v == nil {
			_ = json.Unmarshal([]byte(byDefault), &v)
		}
		return v
	}
	return reflect.DeepEqual(value(a), value(b))
}

// sameHost reports whether a browser may send the cookies of both to one host. Ports do not count.
func sameHost(a, b *session) bool {
	if len(a.at.hosts) == 0 || len(b.at.hosts) == 0 {
		return true
	}
	return slices.ContainsFunc(a.reach(), func(one string) bool {
		return slices.ContainsFunc(b.reach(), func(two string) bool { return covers(one, two) || covers(two, one) })
	})
}

// reach returns the hosts that get the cookie, "*." for all subdomains.
func (h *session) reach() []string {
	domain := strings.TrimPrefix(h.attributes().Domain, ".")
	if domain == "" {
		return h.at.hosts
	}
	return []string{domain, "*." + domain}
}

// covers reports whether a pattern of hosts has all of another one.
func covers(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	return strings.EqualFold(pattern, host) || wild && strings.HasSuffix(strings.ToLower(strings.TrimPrefix(host, "*")), strings.ToLower(suffix))
}

// samePath reports whether a browser may send both cookies with one request.
func samePath(a, b *session) bool {
	one, two := strings.TrimSuffix(a.attributes().Path, "/")+"/", strings.TrimSuffix(b.attributes().Path, "/")+"/"
	return strings.HasPrefix(one, two) || strings.HasPrefix(two, one)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
