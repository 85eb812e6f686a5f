// Package gate is the Caddy HTTP handler http.handlers.session_gate. It sends users to log in if
// their session lacks a field.
package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func init() { caddy.RegisterModule(new(Gate)) }

// Gate lets a request through if its session has a field, and sends the user to log in otherwise:
//
//	session
//	session_gate user /login
//	reverse_proxy localhost:9000
//
// The login URL gets the way back in a parameter: the path and query of the request, such as
// /login?next=%2Forders%3Fpage%3D2. It has no host, so that it cannot lead to another site. It is
// left out if anything in it could be read as another host. Only navigations by GET and HEAD are
// sent to the login page. Those by other methods could not be repeated after the login; they get a
// 403. Requests that are no navigation, such as a fetch or a WebSocket, cannot show a page; they
// get a 401 with `WWW-Authenticate: Session`.
//
// The login path itself is let through, for any method. Use a matcher to exclude what else its page
// needs. A login URL with a query is let through with exactly that query, or with that query and
// the way back at its end.
//
// The gate is a handler and not a request matcher, because Caddy orders redir before session, where
// a matcher would see no session.
type Gate struct {
	// The field, by its dotted path. A field that is null, false or an empty string counts as
	// missing. Required
	Field string `json:"field,omitempty"`

	// The login URL: a path of the same site, or an http or https URL of another one. Required
	Login string `json:"login,omitempty"`

	// The parameter of the login URL that gets the way back. Default: next
	Parameter string `json:"parameter,omitempty"`

	// What happens to CORS preflights, which have no cookies: gate (like any request, so a 401) or
	// pass. Default: gate
	Preflight string `json:"preflight,omitempty"`

	// The name of the session handler, if it has one. Default: none
	Name string `json:"name,omitempty"`

	// loginPath and loginQuery are the path and query of a login URL on this site. backQuery is the
	// query up to the value of the way back.
	loginPath, loginQuery, backQuery string

	// The redirect goes to before + way back + after.
	before, after string
}

// CaddyModule returns the Caddy module information.
func (*Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_gate", New: func() caddy.Module { return new(Gate) }}
}

const (
	defaultParameter = "next"

	preflightGate = "gate"
	preflightPass = "pass"
)

// Provision implements [caddy.Provisioner].
func (g *Gate) Provision(caddy.Context) error { return g.provision() }

// provision checks the options only, so that the Caddyfile adapter can call it and name the line.
func (g *Gate) provision() error {
	if err := g.block().Check(); err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	var err error
	if _, err = jsondoc.ParsePath(g.Field); err != nil {
		return fmt.Errorf("session_gate: field: %w", err)
	}
	login, err := parseLogin(g.Login)
	if err != nil {
		return fmt.Errorf("session_gate: login: %w", err)
	}
	if login.Host == "" {
		g.loginPath, g.loginQuery = login.EscapedPath(), login.RawQuery
	}
	parameter := g.Parameter
	if parameter == "" {
		parameter = defaultParameter
	}
	if login.Query().Has(parameter) {
		return fmt.Errorf("session_gate: login: its query must not have the parameter %s, which is for the way back", parameter)
	}
	if login.Fragment != "" {
		g.after = "#" + login.EscapedFragment()
		login.Fragment, login.RawFragment = "", ""
	}
	separator := "?"
	if login.RawQuery != "" {
		separator = "&"
	}
	way := url.QueryEscape(parameter) + "="
	g.before, g.backQuery = login.String()+separator+way, login.RawQuery+"&"+way
	return nil
}

var errLogin = errors.New("it must be a path of this site, or an http or https URL; placeholders do not work here")

// parseLogin parses the login URL. It refuses what browsers would read differently.
func parseLogin(text string) (*url.URL, error) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte("\\{}", c) >= 0 {
			return nil, errLogin
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errLogin
	}
	ofSite := u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")
	elsewhere := (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	if !ofSite && !elsewhere || strings.HasPrefix(text, "//") {
		return nil, errLogin
	}
	u.ForceQuery = false
	return u, nil
}

var (
	errNoHandler = errors.New("session_gate: no session handler has seen this request")
	errGated     = errors.New("session_gate: the session does not have the field")
	errNotLoaded = fmt.Errorf("session_gate: %w: the session was not loaded", sessionstore.ErrUnavailable)
)

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	s := session.Of(r, g.Name)
	if s == nil {
		return failure.Answer(w, r, http.StatusInternalServerError, errNoHandler)
	}
	asked := webpage.AsAsked(r)
	if g.isLogin(asked.URL) || g.Preflight == preflightPass && isPreflight(r) || passes(s.Field(g.Field)) {
		return next.ServeHTTP(w, r)
	}
	if s.Unavailable() {
		// A user who is logged in must not be sent to log in again because the store is out of
		// reach.
		failure.MayRepeat(w)
		return failure.Answer(w, r, http.StatusServiceUnavailable, errNotLoaded)
	}
	if !isNavigation(r) {
		w.Header().Set("WWW-Authenticate", "Session") // RFC 9110, section 15.5.2
		return failure.Answer(w, r, http.StatusUnauthorized, errGated)
	}
	if asked.Method != http.MethodGet && asked.Method != http.MethodHead {
		// A browser does not know how to log in after a 401 with this scheme, and shows it as an
		// error.
		return failure.Answer(w, r, http.StatusForbidden, errGated)
	}
	w.Header().Set("Location", g.location(wayBack(asked.URL)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
	return nil
}

// isLogin reports whether a URL is the login page. If the login URL has a query, any further
// parameter may select another page: apps differ in which one of two parameters with the same name
// they use.
func (g *Gate) isLogin(u *url.URL) bool {
	if g.loginPath == "" || u.EscapedPath() != g.loginPath {
		return false
	}
	if g.loginQuery == "" || u.RawQuery == g.loginQuery {
		return true
	}
	back, found := strings.CutPrefix(u.RawQuery, g.backQuery)
	return found && !strings.ContainsAny(back, "&;")
}

func passes(field any, found bool) bool {
	switch field {
	case nil, false, "":
		return false
	}
	return found
}

// location returns the login URL with the way back.
func (g *Gate) location(back string) string {
	if back == "" {
		return g.Login
	}
	return g.before + url.QueryEscape(back) + g.after
}

// UnmarshalCaddyfile sets up the gate from Caddyfile tokens. Syntax:
//
//	session_gate [<matcher>] <field> <login> {
//		parameter <name>
//		preflight gate | pass
//		name      <session name>
//	}
func (g *Gate) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the directive's name
	if err := config.Args(d, "session_gate", "a field and where to log in", &g.Field, &g.Login); err != nil {
		return err
	}
	if err := g.block().Read(d, "session_gate"); err != nil {
		return err
	}
	if err := g.provision(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (g *Gate) block() config.Options {
	return config.Options{
		"parameter": config.Name(&g.Parameter),
		"preflight": config.OneOf(&g.Preflight, preflightGate, preflightPass),
		"name":      config.Name(&g.Name),
	}
}

// Parse reads the directive session_gate.
func Parse(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	g := new(Gate)
	return g, g.UnmarshalCaddyfile(helper.Dispenser)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Gate)(nil)
	_ caddyfile.Unmarshaler       = (*Gate)(nil)
	_ caddyhttp.MiddlewareHandler = (*Gate)(nil)
)
