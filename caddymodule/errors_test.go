package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-session/caddy-session/caddymodule/gate"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// on runs one request of a server through the handler.
func on(s *caddyhttp.Server, h caddyhttp.MiddlewareHandler, r *http.Request, next caddyhttp.HandlerFunc) (w *httptest.ResponseRecorder, reason string, err error) {
	w = httptest.NewRecorder()
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, s)
	err = h.ServeHTTP(w, r, next)
	reason, _ = repl.GetString("http.session.error")
	return w, reason, err
}

// broken is a store that fails with this error.
type broken struct {
	sessionstore.Store
	err error
}

func (b broken) Get(context.Context, string) (sessionstore.Entry, error) {
	return sessionstore.Entry{}, b.err
}

func (broken) Close() error { return nil }

// breakStore makes the store of an unused handler fail.
func breakStore(tb testing.TB, h *Handler, err error) {
	withStore(tb, h, "broken", func() (sessionstore.Store, func(), error) { return broken{err: err}, func() {}, nil })
}

func answers(w http.ResponseWriter, _ *http.Request) error {
	_, err := w.Write([]byte("the app"))
	return err
}

// Without error routes, the response has one sentence for the user, without details.
func TestErrorsHaveABodyForPeople(t *testing.T) {
	const password = "hunter2"
	outage := func(t *testing.T) (caddyhttp.MiddlewareHandler, *http.Request) {
		h := mustProvision(t, inMemory(t, ""))
		c := create(t, h, `{"a":1}`)
		h = mustProvision(t, "secret "+testSecret+"\nstore none")
		breakStore(t, h, fmt.Errorf("%w: redis: dial tcp 10.1.2.3:6379: %s", sessionstore.ErrUnavailable, password))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		return h, r
	}
	damage := func(t *testing.T) (caddyhttp.MiddlewareHandler, *http.Request) {
		h, r := outage(t)
		breakStore(t, h.(*Handler), fmt.Errorf("%w: /var/lib/sessions/0a1b", sessionstore.ErrRecord))
		return h, r
	}
	gated := func(t *testing.T) (caddyhttp.MiddlewareHandler, *http.Request) {
		h := mustProvision(t, inMemory(t, ""))
		g := &gate.Gate{Field: "user", Login: "/login"}
		if err := g.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		return chain{h, g}, r
	}
	invalid := func(t *testing.T) (caddyhttp.MiddlewareHandler, *http.Request) {
		h := mustProvision(t, inMemory(t, ""))
		return chain{h, asks("X-Session-Update", "{")}, httptest.NewRequest(http.MethodGet, "/", nil)
	}
	twice := func(t *testing.T) (caddyhttp.MiddlewareHandler, *http.Request) {
		h := mustProvision(t, inMemory(t, ""))
		return chain{h, h}, httptest.NewRequest(http.MethodGet, "/", nil)
	}
	for name, tt := range map[string]struct {
		setup        func(*testing.T) (caddyhttp.MiddlewareHandler, *http.Request)
		status       int
		body, reason string
	}{
		"store unreachable": {outage, 503, "The session store cannot be reached. Try again in a moment.", "session store unavailable"},
		"damaged record":    {damage, 503, "Your session cannot be read.", "the stored record cannot be read"},
		"gate":              {gated, 403, "You may not do this, or need to log in first.", "session_gate: the session does not have the field"},
		"invalid change":    {invalid, 502, "The application has given an answer that cannot be used.", "X-Session-Update, line 1: invalid change: unexpected end at byte 1"},
		"two handlers":      {twice, 500, "Something is wrong with this site.", errTwoHandlers.Error()},
	} {
		for _, accept := range []string{"", "*/*", "text/html,application/xhtml+xml;q=0.9", "text/html; q=0.0, */*", "application/json"} {
			t.Run(name+" "+accept, func(t *testing.T) {
				h, r := tt.setup(t)
				r.Header.Set("Accept", accept)
				w, reason, err := on(new(caddyhttp.Server), h, r, answers)
				var failure caddyhttp.HandlerError
				if !errors.As(err, &failure) || failure.StatusCode != tt.status {
					t.Fatalf("error %v, want a %d", err, tt.status)
				}
				body, kind := tt.body+"\n", "text/plain; charset=utf-8"
				if strings.HasPrefix(accept, "text/html,") {
					kind = "text/html; charset=utf-8"
					if !strings.HasPrefix(w.Body.String(), "<!DOCTYPE html>") || !strings.HasSuffix(w.Body.String(), "<p>"+body) {
						t.Errorf("body %q", w.Body)
					}
				} else if w.Body.String() != body {
					t.Errorf("body %q, want %q", w.Body, body)
				}
				if w.Code != tt.status || w.Header().Get("Content-Type") != kind || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%d %v", w.Code, w.Header())
				}
				if reason != tt.reason {
					t.Errorf("{http.session.error} is %q, want %q", reason, tt.reason)
				}
			})
		}
		t.Run(name+", with error routes", func(t *testing.T) {
			h, r := tt.setup(t)
			routes := &caddyhttp.HTTPErrorConfig{Routes: caddyhttp.RouteList{{}}}
			for place, s := range map[string]*caddyhttp.Server{
				"of the server":    {Errors: routes},
				"of a subroute":    {Routes: caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Errors: routes}}}}},
				"of a named route": {NamedRoutes: map[string]*caddyhttp.Route{"a": {Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.Subroute{Errors: routes}}}}},
			} {
				w, reason, err := on(s, h, r.Clone(r.Context()), answers)
				if err == nil || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "" || reason != tt.reason {
					t.Errorf("%s: body %q, %v, reason %q, %v", place, w.Body, w.Header(), reason, err)
				}
			}
		})
		t.Run(name+", HEAD", func(t *testing.T) {
			h, r := tt.setup(t)
			if r.Method == http.MethodGet {
				r.Method = http.MethodHead
			}
			w, _, _ := on(new(caddyhttp.Server), h, r, answers)
			if length := w.Header().Get("Content-Length"); length != strconv.Itoa(len(tt.body)+1) || r.Method == http.MethodHead && w.Body.Len() > 0 {
				t.Errorf("body %q, length %s", w.Body, length)
			}
		})
	}
}

// chain runs one handler behind another.
type chain [2]caddyhttp.MiddlewareHandler

func (c chain) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return c[0].ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return c[1].ServeHTTP(w, r, next)
	}))
}

// asks is a handler that answers with a header.
func asks(name, value string) caddyhttp.MiddlewareHandler {
	return middleware(func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		w.Header().Set(name, value)
		return next.ServeHTTP(w, r)
	})
}

type middleware func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error

func (m middleware) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return m(w, r, next)
}

// A client that closes the connection while its session is loaded is not counted as an outage.
func TestClosedConnectionIsNoOutage(t *testing.T) {
	c := create(t, mustProvision(t, inMemory(t, "")), `{"a":1}`)
	for _, onError := range []string{onErrorFail, onErrorAnonymous} {
		h := mustProvision(t, "secret "+testSecret+"\nstore none\non_store_error "+onError)
		core, logs := observer.New(zap.InfoLevel)
		h.logger, h.outages = zap.New(core), zap.New(core)
		for hungUp, want := range map[bool]int{true: statusClientClosed, false: http.StatusServiceUnavailable} {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			withStore(t, h, "hanging", func() (sessionstore.Store, func(), error) {
				return &hangingUp{cancel: cancel, hangsUp: hungUp}, func() {}, nil
			})
			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
			r.AddCookie(c)
			w, _, err := on(new(caddyhttp.Server), h, r, answers)
			var failure caddyhttp.HandlerError
			if errors.As(err, &failure); hungUp || onError == onErrorFail {
				if failure.StatusCode != want {
					t.Errorf("%s, hung up %t: %v, want %d", onError, hungUp, err, want)
				}
			}
			if n := len(logs.TakeAll()); (n == 0) != hungUp || hungUp && w.Body.Len() > 0 {
				t.Errorf("%s, hung up %t: %d log lines, body %q", onError, hungUp, n, w.Body)
			}
		}
	}
}

// hangingUp is an unreachable store. The client may close the connection meanwhile.
type hangingUp struct {
	broken
	cancel  context.CancelFunc
	hangsUp bool
}

func (s *hangingUp) Get(ctx context.Context, _ string) (sessionstore.Entry, error) {
	if s.hangsUp {
		s.cancel()
		<-ctx.Done()
		return sessionstore.Entry{}, fmt.Errorf("%w: redis: %w", sessionstore.ErrUnavailable, ctx.Err())
	}
	return sessionstore.Entry{}, sessionstore.ErrUnavailable
}

// TestErrorsVaryByCookie has the handler fail in each way: the page of an error route may show the
// user's name, and a 404 may be cached.
func TestErrorsVaryByCookie(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	down := mustProvision(t, inMemory(t, ""))
	breakStore(t, down, sessionstore.ErrUnavailable)
	for name, c := range map[string]struct {
		h    *Handler
		next caddyhttp.HandlerFunc
	}{
		"the next handler fails": {h, func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(http.StatusNotFound, nil) }},
		"a change is refused": {h, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("X-Session-Update", "no JSON")
			return answers(w, r)
		}},
		"the store is down": {down, answers},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(create(t, h, `{"user":"zoe"}`))
		w, err := serve(c.h, r, c.next)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := w.Header()["Vary"]; len(got) != 1 || got[0] != "Cookie" {
			t.Errorf("%s: Vary %q", name, got)
		}
	}
}

// A page of the error routes must not end with the session headers of the app's trailers: templates
// has all of a response when it fails.
func TestTrailersOfAFailedResponse(t *testing.T) {
	w, err := serve(mustProvision(t, inMemory(t, "")), httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		for _, name := range []string{"X-Session-Update", "Set-Cookie", "X-Ok"} {
			w.Header().Set(http.TrailerPrefix+name, "{}")
		}
		return http.ErrHandlerTimeout
	})
	h := w.Header()
	if err == nil || h[http.TrailerPrefix+"X-Session-Update"] != nil || h[http.TrailerPrefix+"Set-Cookie"] != nil || h[http.TrailerPrefix+"X-Ok"] == nil {
		t.Errorf("%v, %v", err, h)
	}
}
