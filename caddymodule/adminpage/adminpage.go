// Package adminpage is the Caddy HTTP handler http.handlers.session_admin. It shows operators the
// sessions of a site on a page, and lets them end sessions.
package adminpage

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/internal/config"
)

func init() { caddy.RegisterModule(new(Page)) }

// Page shows the sessions of a site to its operators, on a page of plain HTML. They find sessions
// by ref or by user, and end them:
//
//	session {
//		user name
//	}
//	basic_auth /sessions {
//		operator {env.OPERATOR_HASH}
//	}
//	session_admin /sessions
//	reverse_proxy localhost:9000
//
// Another handler before this one must have authenticated the operator: it sets the placeholder
// `{http.auth.user.id}`. A user of the session itself is no operator, by the option user with
// authenticate neither. Without an operator, the answer is a 403.
//
// The page has the stores of all session handlers of the site, and of these stores the sessions of
// the site: it is what the server keeps for the hosts of the route that the page is in. It needs no
// admin endpoint. It is never in a frame, and a POST must come from a page of the same origin.
type Page struct {
	origin http.CrossOriginProtection
}

// CaddyModule returns the Caddy module information.
func (*Page) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_admin", New: func() caddy.Module { return new(Page) }}
}

// The parameters. Names of users are only in bodies, because URIs are logged.
const (
	storeParameter = "store"
	afterParameter = "after"
	refParameter   = "ref"
	userParameter  = "user"
	scopeParameter = "scope"

	// endParameter ends the session with this ref, and endUserParameter those of this user.
	endParameter     = "end"
	endUserParameter = "end_user"

	// endedParameter is how many sessions the request before has ended.
	endedParameter = "ended"

	// pageSize is the number of sessions on a page.
	pageSize = 50

	// maxBody is the size of the largest body of a POST that is read, in bytes.
	maxBody = 4 << 10
)

var (
	errNoOperator = errors.New("session_admin: no handler before this one has authenticated an operator")
	errMethod     = errors.New("session_admin: only GET, HEAD and POST are allowed")
	errOrigin     = errors.New("session_admin: the request does not come from a page of this site")
	errForm       = errors.New("session_admin: the form is not valid")
)

func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	operator := operatorOf(r)
	if operator == "" {
		return failure.Answer(w, r, http.StatusForbidden, errNoOperator)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if err := p.sameOrigin(r); err != nil {
			return failure.Answer(w, r, http.StatusForbidden, err)
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		return failure.Answer(w, r, http.StatusMethodNotAllowed, errMethod)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return failure.Answer(w, r, http.StatusBadRequest, errForm)
	}
	site := siteOf(r)
	stores, err := site.open()
	defer stores.Release()
	// A store that moves sessions is shown as one.
	whole := slices.DeleteFunc(stores.Stores(), func(s admin.Store) bool { return s.Moving != "" })
	v := &view{Operator: operator, Here: webpage.Here(r), Stores: whole}
	if err == nil && len(v.Stores) > 0 {
		err = v.choose(r)
	}
	if err == nil && r.Method == http.MethodPost {
		// Ending goes on when the browser hangs up.
		ended, done, errEnd := v.end(context.WithoutCancel(r.Context()), stores, r)
		if done && errEnd == nil {
			webpage.Redirect(w, v.link(endedParameter, strconv.Itoa(ended), afterParameter, r.PostForm.Get(afterParameter)))
			return nil
		}
		err = errEnd
	}
	if err == nil {
		err = v.fill(stores, site, r)
	}
	status := http.StatusOK
	if err != nil {
		known := admin.APIError(err)
		status, v.Error = known.HTTPStatus, known.Err.Error()
	}
	return webpage.Write(w, r, status, page, v)
}

// operatorOf returns who has authenticated, or nothing. Users of a session handler are no
// operators.
func operatorOf(r *http.Request) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	value, _ := repl.Get("http.auth.user.id")
	if _, user := value.(session.UserID); user || value == nil {
		return ""
	}
	return caddy.ToString(value)
}

// sameOrigin refuses a request that does not show that it comes from this page. Browsers send the
// operator's credentials with requests from any page.
func (p *Page) sameOrigin(r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" || p.origin.Check(r) != nil {
		return errOrigin
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	session_admin [<matcher>]
func (p *Page) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return config.Options{}.Unmarshal(d, "session_admin")
}

// Parse reads the directive session_admin.
func Parse(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	p := new(Page)
	return p, p.UnmarshalCaddyfile(helper.Dispenser)
}

// Interface guards
var (
	_ caddyfile.Unmarshaler       = (*Page)(nil)
	_ caddyhttp.MiddlewareHandler = (*Page)(nil)
)
