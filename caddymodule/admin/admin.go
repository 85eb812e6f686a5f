// Package admin is the part of Caddy's admin API with which operators see and end sessions.
//
//	GET    /session/stores               the stores that are open
//	GET    /session/sessions             the sessions of a store, in pages
//	GET    /session/sessions/<ref>       one session, with ?data=true its data too
//	DELETE /session/sessions/<ref>       end it
//	POST   /session/find                 the sessions of a user
//	POST   /session/end                  end those of a user, or all
//	POST   /session/explain              what becomes of the session of a request, step by step
//	GET    /session/records              export all, a line of JSON for each
//	POST   /session/records              import such lines
//
// It is protected as the admin API is. Caddy logs its URIs, so names of users travel in bodies. The
// ids of sessions appear nowhere.
package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/explain"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func init() { caddy.RegisterModule(API{}) }

// API is the module admin.api.session.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.session", New: func() caddy.Module { return new(API) }}
}

// Routes implements [caddy.AdminRouter].
func (API) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/session/stores", Handler: methods{http.MethodGet: stores}},
		{Pattern: "/session/sessions", Handler: methods{http.MethodGet: list}},
		{Pattern: onePath, Handler: methods{http.MethodGet: show, http.MethodDelete: endOne}},
		{Pattern: "/session/find", Handler: methods{http.MethodPost: find}},
		{Pattern: "/session/end", Handler: methods{http.MethodPost: end}},
		{Pattern: "/session/explain", Handler: caddy.AdminHandlerFunc(explained)},
		{Pattern: "/session/records", Handler: methods{http.MethodGet: export, http.MethodPost: importAll}},
	}
}

// onePath is the path of one session. Its ref follows.
const onePath = "/session/sessions/"

// methods are the functions that answer requests, by their method.
type methods map[string]func(w http.ResponseWriter, r *http.Request, o *Opened) error

// ServeHTTP implements [caddy.AdminHandler].
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	answer, ok := m[r.Method]
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(m)), ", "))
		return refuse(http.StatusMethodNotAllowed, "method not allowed")
	}
	o, err := Open(keep.Operated(), nil)
	defer o.Release()
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		err = answer(w, r, o)
	}
	return apiError(err)
}

// explained explains a request. It opens no store, because the reason why one cannot be opened is a
// part of the explanation.
func explained(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "method not allowed")
	}
	var ask explain.Ask
	if err := read(w, r, &ask); err != nil {
		return err
	}
	answer, err := explain.Running(&ask)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return reply(w, answer)
}

// refuse returns an error with a status.
func refuse(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// apiError gives an error its status.
func apiError(err error) error {
	if err == nil {
		return nil
	}
	return APIError(err) // Caddy wants it unwrapped
}

// APIError returns an error of the methods of [Opened] with its status.
func APIError(err error) caddy.APIError {
	status := http.StatusInternalServerError
	switch known := (caddy.APIError{}); {
	case errors.As(err, &known):
		return known
	case errors.Is(err, sessionstore.ErrCursor):
		errors.As(errAfter, &known)
		return known
	case errors.Is(err, sessionstore.ErrUnavailable):
		status = http.StatusServiceUnavailable
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// reply sends JSON.
func reply(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// maxBody is the size of the largest body of a request, in bytes.
const maxBody = 64 << 10

// read reads the JSON in a request's body.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	from := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	from.DisallowUnknownFields()
	err := from.Decode(v)
	if err == nil {
		err = atEnd(from)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body must be one JSON object: %v", err)
	}
	return nil
}

// atEnd returns an error if something follows what was read.
func atEnd(from *json.Decoder) error {
	if _, err := from.Token(); err != io.EOF {
		return errors.New("there is more after it")
	}
	return nil
}

// Interface guards
var (
	_ caddy.AdminRouter  = API{}
	_ caddy.AdminHandler = methods{}
)
