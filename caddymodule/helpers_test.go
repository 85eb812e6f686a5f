package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// testSecret is a key that is long enough.
const testSecret = "0123456789abcdef0123456789abcdef"

// provision provisions a handler with the options of a session block.
func provision(tb testing.TB, options string) (*Handler, error) {
	tb.Helper()
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + options + "\n}")); err != nil {
		return nil, err
	}
	tb.Cleanup(func() { _ = h.Cleanup() })
	return h, h.Provision(newContext(tb))
}

// newContext returns a configuration with its own storage.
func newContext(tb testing.TB) caddy.Context {
	tb.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		StorageRaw: []byte(`{"module":"file_system","root":` + strconv.Quote(tb.TempDir()) + `}`),
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{
			"default": {BaseLog: caddy.BaseLog{WriterRaw: []byte(`{"output":"discard"}`)}},
		}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ctx
}

func mustProvision(tb testing.TB, options string) *Handler {
	tb.Helper()
	h, err := provision(tb, options)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// inMemory adds a separate memory store to the options.
func inMemory(tb testing.TB, options string) string {
	return "secret " + testSecret + "\nstore memory " + `"` + tb.Name() + `"` + "\n" + options
}

// withStore replaces the handler's store and returns the new keeper.
func withStore(tb testing.TB, h *Handler, name string, open func() (sessionstore.Store, func(), error)) *keep.Store {
	tb.Helper()
	store, err := keep.NewStore(keep.StoreOptions{
		Open: open, About: keep.About{Kind: name}, Sessions: h.keeper.Options(), Cookies: h.cookies, Logger: h.logger,
	})
	if err != nil {
		tb.Fatal(err)
	}
	h.keeper.Cleanup()
	h.keeper = store
	return store
}

// server is a server as Caddy has it.
var server = new(caddyhttp.Server)

// prepare makes a request as a Caddy server hands it to its handlers.
func prepare(w http.ResponseWriter, r *http.Request) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, server)
}

// serve runs one request through the handler.
func serve(h *Handler, r *http.Request, next caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	err := h.ServeHTTP(w, prepare(w, r), next)
	return w, err
}

// create begins a session with an update, and returns its cookie.
func create(tb testing.TB, h *Handler, update string) *http.Cookie {
	tb.Helper()
	w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-Update", update)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		tb.Fatalf("the response has %d cookies, want 1", len(cookies))
	}
	return cookies[0]
}
