// Package devices is the Caddy HTTP handler http.handlers.session_devices. It shows users where
// they are logged in, and lets them end their other sessions.
package devices

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func init() { caddy.RegisterModule(new(Devices)) }

// Devices answers requests of users with the list of their own sessions, as JSON, or as a page
// where the client asks for HTML:
//
//	session {
//		user            name
//		remember_client on
//	}
//	session_devices /devices
//	reverse_proxy localhost:9000
//
// A POST with the parameter end ends the session with this ref, or with the value others all but
// the one of the request. It must come from a page of the same origin. The page works without
// scripts.
//
// Without a user, the answer is a 401; session_gate before it leads to a login page. The session
// needs the option user, and a store with native records.
type Devices struct {
	// The name of the session handler, if it has one. Default: none
	Name string `json:"name,omitempty"`

	origin http.CrossOriginProtection
}

// CaddyModule returns the Caddy module information.
func (*Devices) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_devices", New: func() caddy.Module { return new(Devices) }}
}

const (
	// endParameter is the parameter of a POST, and endsOthers its value for all but one.
	endParameter = "end"
	endsOthers   = "others"

	// maxBody is the size of the largest body of a POST that is read, in bytes.
	maxBody = 4 << 10
)

var (
	errNoHandler = errors.New("session_devices: no session handler has seen this request")
	errNoUser    = errors.New("session_devices: nobody has logged in")
	errNotLoaded = fmt.Errorf("session_devices: %w: the session was not loaded", sessionstore.ErrUnavailable)
	errMethod    = errors.New("session_devices: only GET, HEAD and POST are allowed")
	errOrigin    = errors.New("session_devices: the request comes from another site")
	errBody      = errors.New("session_devices: the form is not valid: it needs the parameter " + endParameter)
	errNoSession = errors.New("session_devices: the user has no such session")
)

func (d *Devices) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	s := session.Of(r, d.Name)
	switch {
	case s == nil:
		return failure.Answer(w, r, http.StatusInternalServerError, errNoHandler)
	case s.Unavailable():
		failure.MayRepeat(w)
		return failure.Answer(w, r, http.StatusServiceUnavailable, errNotLoaded)
	case s.User() == "":
		w.Header().Set("WWW-Authenticate", "Session")
		return failure.Answer(w, r, http.StatusUnauthorized, errNoUser)
	}
	status := http.StatusOK
	var err error
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		status, err = d.end(w, r, s)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		status, err = http.StatusMethodNotAllowed, errMethod
	}
	if err != nil {
		return failure.Answer(w, r, status, err)
	}
	html := failure.AsksForHTML(r)
	if r.Method == http.MethodPost && html {
		webpage.Redirect(w, webpage.Here(r))
		return nil
	}
	list, err := s.UserSessions(r.Context())
	if err != nil {
		return failure.Answer(w, r, statusOf(err), err)
	}
	return write(w, r, s, list, html)
}

// end ends the session that a POST names. It returns the status of an error.
func (d *Devices) end(w http.ResponseWriter, r *http.Request, s session.Session) (int, error) {
	if err := d.origin.Check(r); err != nil {
		return http.StatusForbidden, errOrigin
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil || r.PostForm.Get(endParameter) == "" {
		return http.StatusBadRequest, errBody
	}
	// A save that was begun must not be given up half way because the client hangs up.
	ctx := context.WithoutCancel(r.Context())
	ref := r.PostForm.Get(endParameter)
	if ref == endsOthers {
		err := s.EndOthers(ctx)
		return statusOf(err), err
	}
	list, err := s.UserSessions(ctx)
	if err != nil {
		return statusOf(err), err
	}
	if !slices.ContainsFunc(list, func(i sessionstore.Info) bool { return i.Ref == ref }) {
		return http.StatusNotFound, errNoSession
	}
	err = s.End(ctx, ref)
	return statusOf(err), err
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, sessionstore.ErrNoIndex):
		return http.StatusInternalServerError
	default:
		return http.StatusServiceUnavailable
	}
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	session_devices [<matcher>] {
//		name <session name>
//	}
func (d *Devices) UnmarshalCaddyfile(disp *caddyfile.Dispenser) error {
	return config.Options{"name": config.Name(&d.Name)}.Unmarshal(disp, "session_devices")
}

// Parse reads the directive session_devices.
func Parse(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	d := new(Devices)
	return d, d.UnmarshalCaddyfile(helper.Dispenser)
}

// Interface guards
var (
	_ caddyfile.Unmarshaler       = (*Devices)(nil)
	_ caddyhttp.MiddlewareHandler = (*Devices)(nil)
)
