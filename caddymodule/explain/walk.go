package explain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/routes"
)

// walk follows a request through the routes of a server.
type walk struct {
	answer   *Answer
	server   *caddyhttp.Server
	r        *http.Request
	bare     string
	groups   map[string]bool
	invoking []string

	sessions []Passage // that the request is in
	failed   bool      // a session has ended, as a handler behind it has failed, or it has itself
	failure  *failure  // for which the request is in error routes
	cleaned  bool      // by a session_clean, so that there is a session with a matcher
}

// all follows the request through the routes of the server, and through its error routes.
func (w *walk) all() {
	answered, err := w.through(w.server.Routes)
	first := err
	if err != nil && w.server.Errors != nil && len(w.server.Errors.Routes) > 0 {
		if original, ok := w.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
			w.r.Method, w.r.RemoteAddr, w.r.RequestURI = original.Method, original.RemoteAddr, original.RequestURI
			*w.r.URL = *original.URL
		}
		answered, err = w.errorRoutes(w.server.Errors, err, 0)
	}
	switch {
	case err != nil:
		w.ended(first.text(), "")
	case !answered:
		w.unanswered()
	}
}

// unanswered says that the request comes to an end of the routes.
func (w *walk) unanswered() {
	if w.failure == nil {
		w.ended("no handler answers this request", "none")
	} else {
		w.ended("no error route answers, so only the status is sent. "+w.failure.text(), "")
	}
}

// errorRoutes follows the request through error routes, after a failure behind or in the sessions
// from a place on.
func (w *walk) errorRoutes(routes *caddyhttp.HTTPErrorConfig, err *failure, from int) (answered bool, _ *failure) {
	for i := len(w.sessions) - 1; i >= from; i-- {
		w.sessions[i].Fail()
		w.failed = true
	}
	w.sessions, w.failure = w.sessions[:from], err
	w.answer.add("error", err.text()+"; the error routes (handle_errors) get the request")
	w.r = routes.WithError(w.r, err.error)
	return w.through(routes.Routes)
}

// failure is the error of a handler or a matcher.
type failure struct {
	by string
	error
}

// text says who has failed, and with which status.
func (f *failure) text() string {
	status := http.StatusInternalServerError
	if h, ok := errors.AsType[caddyhttp.HandlerError](f.error); ok {
		status = cmp.Or(h.StatusCode, status)
	}
	return fmt.Sprintf("%s: %d", f.by, status)
}

// through follows the request through a list of routes. It reports whether it was answered. A
// failure is for the error routes.
func (w *walk) through(list caddyhttp.RouteList) (answered bool, _ *failure) {
	for i := range list {
		route := &list[i]
		if route.Group != "" && w.groups[route.Group] {
			continue
		}
		matches, err := route.MatcherSets.AnyMatchWithError(w.r)
		if err != nil {
			if _, meant := errors.AsType[caddyhttp.HandlerError](err); !meant { // as by try_files =404
				w.answer.wrong("route", "a matcher fails: "+err.Error(), "correct the matcher")
			}
			return false, &failure{"a matcher", err}
		}
		if !matches {
			continue
		}
		w.groups[route.Group] = route.Group != ""
		for _, handler := range route.Handlers {
			if answered, err := w.handler(handler); answered || err != nil {
				return answered, err
			}
		}
		if route.Terminal {
			w.unanswered()
			return true, nil
		}
	}
	return false, nil
}

// quiet are the handlers that have no effect outside of the request. They are run.
var quiet = []string{"vars", "map", "rewrite", "headers", "static_response", "error", "session_gate", "file_server"}

// handler follows the request to a handler. It reports whether that answers it.
func (w *walk) handler(handler caddyhttp.MiddlewareHandler) (answered bool, _ *failure) {
	switch h := handler.(type) {
	case Handler:
		passage := h.ExplainRequest(w.r, w.bare)
		w.answer.Steps = append(w.answer.Steps, passage.Steps...)
		w.sessions = append(w.sessions, passage)
		if passage.Refused != nil {
			return false, &failure{"session", passage.Refused}
		}
		return false, nil
	case *caddyhttp.Subroute:
		from := len(w.sessions)
		answered, err := w.through(h.Routes)
		if err != nil && h.Errors != nil {
			return w.errorRoutes(h.Errors, err, from)
		}
		return answered, err
	case *caddyhttp.Invoke:
		named := w.server.NamedRoutes[h.Name]
		if named == nil {
			return false, &failure{"invoke", errors.New("there is no route of that name")}
		}
		if slices.Contains(w.invoking, h.Name) {
			return false, nil
		}
		w.invoking = append(w.invoking, h.Name)
		defer func() { w.invoking = w.invoking[:len(w.invoking)-1] }()
		return w.through(caddyhttp.RouteList{*named})
	}
	name := nameOf(handler)
	switch {
	case name == "reverse_proxy":
		return w.proxy(handler), nil
	case name == "session_clean":
		w.cleaned = true
	case name == "authentication":
		w.answer.add("route", "authentication: only who passes it goes on")
	case slices.Contains(quiet, name):
		return w.run(name, handler)
	case slices.Contains([]string{"session_devices", "session_admin", "metrics", "acme_server"}, name):
		w.ended(name, "")
		return true, nil
	}
	return false, nil // it adds something, such as encode
}

// options are those of other handlers that matter here.
type options struct {
	Upstreams      []struct{ Dial string }
	HandleResponse []any `json:"handle_response"`
}

// optionsOf reads the options of a handler, whose package would register its module here.
func optionsOf(handler any) (o options) {
	if text, err := json.Marshal(handler); err == nil {
		_ = json.Unmarshal(text, &o)
	}
	return o
}

// proxy follows the request to an app.
func (w *walk) proxy(handler any) (answered bool) {
	o := optionsOf(handler)
	all := make([]string, 0, len(o.Upstreams))
	for _, upstream := range o.Upstreams {
		all = append(all, upstream.Dial)
	}
	to := cmp.Or(strings.Join(all, ", "), "upstreams that it finds out")
	if len(o.HandleResponse) > 0 { // forward_auth goes on, for example
		w.answer.add("route", "reverse_proxy asks "+to+" first, and may answer by what that says")
		return false
	}
	w.ended("reverse_proxy to "+to, "app")
	return true
}

func nameOf(handler any) string {
	if module, ok := handler.(caddy.Module); ok {
		return module.CaddyModule().ID.Name()
	}
	return ""
}

// headOnly lets file_server neither read a file nor run the template of a list, which could ask an
// app, until restore is called.
func (w *walk) headOnly() (restore func()) {
	r, method, accept := w.r, w.r.Method, w.r.Header["Accept"]
	if method == http.MethodGet || w.failure != nil { // in error routes, it serves all methods
		r.Method = http.MethodHead
	}
	r.Header["Accept"] = []string{"application/json"}
	return func() {
		r.Method, r.Header["Accept"] = method, accept
		if accept == nil {
			delete(r.Header, "Accept")
		}
	}
}

// run runs a handler, and reports whether it answers. Of a file, only the head is asked for.
func (w *walk) run(name string, handler caddyhttp.MiddlewareHandler) (answered bool, failed *failure) {
	defer func() {
		if recover() != nil { // respond with abort
			w.ended(name+", which closes the connection", "")
			answered, failed = true, nil
		}
	}()
	out, passed, before := httptest.NewRecorder(), false, w.r.URL.RequestURI()
	if name == "file_server" {
		defer w.headOnly()()
	}
	err := handler.ServeHTTP(out, w.r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		passed = true
		return nil
	}))
	if passed {
		if after := w.r.URL.RequestURI(); after != before {
			w.answer.add("route", fmt.Sprintf("%s: the path is %s from here on", name, w.r.URL.Path))
		}
		return false, nil
	}
	if err != nil {
		return false, &failure{name, err}
	}
	says := fmt.Sprintf("%s: %d", name, out.Code)
	if to := out.Header().Get("Location"); to != "" {
		says += " to " + to
	}
	w.ended(says, "")
	return true, nil
}

// ended says how the request ends. What is app if it ends in one, and none if no handler answers.
func (w *walk) ended(by, what string) {
	says := "answered by " + by
	if strings.HasPrefix(by, "no ") {
		says = by
	}
	a := w.answer
	if len(w.sessions) > 0 || w.failed && what != "app" {
		a.add("route", says)
		if what == "app" {
			a.add("app", "it was not asked. If its changes are not there: session_commit in the access log says whether they came and were valid. PHP sends no header after its output has begun; only its own log says so")
		}
		return
	}
	if w.failed {
		a.wrong("route", says+", and not through session: that has ended with the error, so this app gets no session",
			"put the directive session, with the same options, into handle_errors too, before the app")
		return
	}
	others := 0
	count := func(handler caddyhttp.MiddlewareHandler) {
		if _, ok := handler.(Handler); ok {
			others++
		}
	}
	routes.Each(w.server, w.server.Routes, count)
	if w.server.Errors != nil {
		routes.Each(w.server, w.server.Errors.Routes, count)
	}
	switch {
	case w.cleaned:
		a.wrong("route", says+", and not through session: its matcher does not cover this request", "widen the matcher of session")
	case others > 0:
		if what == "none" {
			a.wrong("route", says+": no site of this server is for this host, or none of its handlers for this path",
				"compare the URL with the addresses of the sites and with the matchers")
			return
		}
		says += ", and not through session: no session handler of this server comes before"
		if what == "app" {
			says += ". If that app has a session elsewhere, anybody can send it session headers here"
		}
		a.wrong("route", says, "put session before it: outside of route, Caddy orders them so, but for redir, which comes after session in a handle; a session in a handle is for that handle only")
	default:
		a.wrong("route", says+": this server has no session handler", "add the directive session to the site")
	}
}
