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
	repl     *caddy.Replacer
	bare     string
	groups   map[string]bool
	invoking []string

	sessions int  // that the request has passed
	cleaned  bool // by a session_clean, so that there is a session with a matcher
}

// through follows the request through a list of routes. It reports whether it was answered.
func (w *walk) through(list caddyhttp.RouteList) (answered bool) {
	for i := range list {
		route := &list[i]
		matches, err := route.MatcherSets.AnyMatchWithError(w.r)
		if err != nil {
			w.answer.wrong("route", "a matcher fails: "+err.Error(), "the error routes get the request")
			return true
		}
		if !matches || route.Group != "" && w.groups[route.Group] {
			continue
		}
		w.groups[route.Group] = route.Group != ""
		if slices.ContainsFunc(route.Handlers, w.handler) {
			return true
		}
		if route.Terminal {
			w.ended("no handler answers this request", "")
			return true
		}
	}
	return false
}

// quiet are the handlers that have no effect outside of the request. They are run.
var quiet = []string{"vars", "map", "rewrite", "headers", "static_response", "error", "session_gate"}

// handler follows the request to a handler. It reports whether that answers it.
func (w *walk) handler(handler caddyhttp.MiddlewareHandler) (answered bool) {
	switch h := handler.(type) {
	case Handler:
		w.sessions++
		w.answer.Steps = append(w.answer.Steps, h.ExplainRequest(w.r, w.bare)...)
		return false
	case *caddyhttp.Subroute:
		return w.through(h.Routes)
	case *caddyhttp.Invoke:
		named := w.server.NamedRoutes[h.Name]
		if named == nil || slices.Contains(w.invoking, h.Name) {
			return false
		}
		w.invoking = append(w.invoking, h.Name)
		defer func() { w.invoking = w.invoking[:len(w.invoking)-1] }()
		return w.through(caddyhttp.RouteList{*named})
	}
	name := nameOf(handler)
	switch {
	case name == "reverse_proxy":
		return w.proxy(handler)
	case name == "file_server" && optionsOf(handler).PassThru:
		return false
	case name == "session_clean":
		w.cleaned = true
		return false
	case name == "authentication":
		w.answer.add("route", "authentication: only who passes it goes on")
		return false
	case slices.Contains(quiet, name):
		return w.run(name, handler)
	case slices.Contains([]string{"file_server", "session_devices", "session_admin", "metrics", "acme_server"}, name):
		w.ended(name, "")
		return true
	}
	return false // it adds something, such as encode
}

// options are those of other handlers that matter here.
type options struct {
	Upstreams      []struct{ Dial string }
	HandleResponse []any `json:"handle_response"`
	PassThru       bool  `json:"pass_thru"`
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

// run runs a handler, and reports whether it answers.
func (w *walk) run(name string, handler caddyhttp.MiddlewareHandler) (answered bool) {
	defer func() {
		if recover() != nil { // respond with abort
			w.ended(name+", which closes the connection", "")
			answered = true
		}
	}()
	out, passed, before := httptest.NewRecorder(), false, w.r.URL.RequestURI()
	err := handler.ServeHTTP(out, w.r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		passed = true
		return nil
	}))
	if passed {
		if after := w.r.URL.RequestURI(); after != before {
			w.answer.add("route", fmt.Sprintf("%s: the path is %s from here on", name, w.r.URL.Path))
		}
		return false
	}
	status := out.Code
	if failure, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		status = failure.StatusCode
	}
	says := fmt.Sprintf("%s: %d", name, status)
	if to := out.Header().Get("Location"); to != "" {
		says += " to " + to
	}
	w.ended(says, "")
	return true
}

// ended says how the request ends. What is app if it ends in one.
func (w *walk) ended(by, what string) {
	says := "answered by " + by
	if strings.HasPrefix(by, "no ") {
		says = by
	}
	a := w.answer
	if w.sessions > 0 {
		a.add("route", says)
		if what == "app" {
			a.add("app", "it was not asked. If its changes are not there: session_commit in the access log says whether they came and were valid. PHP sends no header after its output has begun; only its own log says so")
		}
		return
	}
	others := 0
	routes.Each(w.server, w.server.Routes, func(handler caddyhttp.MiddlewareHandler) {
		if _, ok := handler.(Handler); ok {
			others++
		}
	})
	switch {
	case w.cleaned:
		a.wrong("route", says+", and not through session: its matcher does not cover this request", "widen the matcher of session")
	case others > 0:
		says += ", and not through session: no session handler of this server comes before"
		if what == "app" {
			says += ". If that app has a session elsewhere, anybody can send it session headers here"
		}
		a.wrong("route", says, "put session before it: outside of route, Caddy orders them so; a session in a handle is for that handle only")
	default:
		a.wrong("route", says+": this server has no session handler", "add the directive session to the site")
	}
}
