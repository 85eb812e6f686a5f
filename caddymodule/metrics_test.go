package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/internal/metricstest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func mustRegister(tb testing.TB) *prometheus.Registry {
	tb.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registerMetrics(registry); err != nil {
		tb.Fatal(err)
	}
	return registry
}

// counted returns what f has added to the metrics.
func counted(tb testing.TB, f func()) map[string]float64 {
	tb.Helper()
	return metricstest.Counted(tb, mustRegister(tb), f)
}

// failingStore fails where it is told to.
type failingStore struct {
	sessionstore.Store
	counted                 *countedStore
	get, set, remove, touch error
}

func (s *failingStore) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if s.get != nil {
		return sessionstore.Entry{}, s.get
	}
	return s.Store.Get(ctx, key)
}

func (s *failingStore) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	if s.set != nil {
		return sessionstore.Entry{}, s.set
	}
	return s.Store.CompareAndSet(ctx, key, old, value, ttl)
}

func (s *failingStore) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	if s.remove != nil {
		return sessionstore.Entry{}, s.remove
	}
	return s.Store.CompareAndDelete(ctx, key, old)
}

func (s *failingStore) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	if s.touch != nil {
		return s.touch
	}
	return s.Store.Touch(ctx, key, old, ttl)
}

// withFailingStore is a handler whose store is named "failing".
func withFailingStore(t *testing.T, options string) (*Handler, *failingStore) {
	t.Helper()
	h, memory := withCountedStore(t, options)
	failing := &failingStore{Store: memory.Store}
	failing.counted = &countedStore{Store: failing}
	withStore(t, h, "failing", failing.counted.Open)
	return h, failing
}

var errStore = fmt.Errorf("%w: told to fail", sessionstore.ErrUnavailable)

// answering returns an app that answers with these headers.
func answering(pairs ...string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
		return nil
	}
}

func withCookies(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func TestRequestsCounted(t *testing.T) {
	h, store := withFailingStore(t, "")
	nothing := answering()
	live, ended := create(t, h, `{"a":1}`), create(t, h, `{"a":1}`)
	if _, err := serve(h, withCookies(ended), answering("X-Session-Control", "destroy")); err != nil {
		t.Fatal(err)
	}
	forged := &http.Cookie{Name: "caddy_session", Value: strings.Repeat("x", 43) + "." + strings.Repeat("y", 43)}
	const get = "store_operations_total operation=get outcome=%s store=failing"

	for _, test := range []struct {
		name    string
		cookies []*http.Cookie
		err     error
		want    []string
	}{
		{"no cookie", nil, nil, []string{"requests_total outcome=anonymous", "commits_total outcome=none"}},
		{"another's cookie", []*http.Cookie{{Name: "theme", Value: "dark"}}, nil,
			[]string{"requests_total outcome=anonymous", "commits_total outcome=none"}},
		{"a session", []*http.Cookie{live}, nil,
			[]string{"requests_total outcome=hit", fmt.Sprintf(get, "found"), "commits_total outcome=none"}},
		{"a forged cookie before the valid one", []*http.Cookie{forged, live}, nil,
			[]string{"requests_total outcome=hit", fmt.Sprintf(get, "found"), "commits_total outcome=none"}},
		{"an ended session", []*http.Cookie{ended}, nil,
			[]string{"requests_total outcome=expired", fmt.Sprintf(get, "missing"), "commits_total outcome=none"}},
		{"a forged cookie", []*http.Cookie{forged}, nil, []string{"requests_total outcome=forged", "commits_total outcome=none"}},
		{"the store is down", []*http.Cookie{live}, errStore,
			[]string{"requests_total outcome=unavailable", fmt.Sprintf(get, "error")}},
		{"the store is too slow", []*http.Cookie{live}, fmt.Errorf("%w: %w", sessionstore.ErrUnavailable, context.DeadlineExceeded),
			[]string{"requests_total outcome=unavailable", fmt.Sprintf(get, "error")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			store.get = test.err
			metricstest.Want(t, counted(t, func() {
				if _, err := serve(h, withCookies(test.cookies...), nothing); (err != nil) != (test.err != nil) {
					t.Error(err)
				}
			}), test.want...)
		})
	}
	store.get = nil

	t.Run("the client hangs up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		metricstest.Want(t, counted(t, func() {
			if _, err := serve(h, withCookies(live).WithContext(ctx), nothing); err == nil {
				t.Error("no error")
			}
		}), "requests_total outcome=canceled", fmt.Sprintf(get, "canceled"))
	})
	t.Run("the store cannot be opened", func(t *testing.T) {
		closing := &closingStore{Store: store}
		withStore(t, h, "closing", closing.Open)
		h.keeper.Cleanup() // so that the next request opens it again
		metricstest.Want(t, counted(t, func() {
			if _, err := serve(h, withCookies(live), nothing); err == nil {
				t.Error("no error")
			}
		}), "requests_total outcome=unavailable")
	})
}

// closingStore can be opened once.
type closingStore struct {
	sessionstore.Store
	closed bool
}

func (c *closingStore) Open() (sessionstore.Store, func(), error) {
	if c.closed {
		return nil, nil, errStore
	}
	return c.Store, func() { c.closed = true }, nil
}

func TestCommitsCounted(t *testing.T) {
	update := func(value string) func(http.ResponseWriter, *http.Request) error {
		return answering("X-Session-Update", value)
	}
	for _, test := range []struct {
		outcome string
		next    func(h *Handler, s *failingStore, cookie *http.Cookie) func(http.ResponseWriter, *http.Request) error
		want    []string // besides the request's hit, the get of the load, and the outcome itself
	}{
		{"none", func(*Handler, *failingStore, *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return update(`{"a":1}`)
		}, []string{"get found"}}, // is it still what it was?
		{"saved", func(*Handler, *failingStore, *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return update(`{"a":2}`)
		}, []string{"set ok"}},
		{"saved", func(*Handler, *failingStore, *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return answering("X-Session-Control", "destroy")
		}, []string{"delete ok", "ended_total cause=destroyed"}},
		{"conflict_retried", func(h *Handler, _ *failingStore, cookie *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return func(w http.ResponseWriter, r *http.Request) error {
				_, err := serve(h, withCookies(cookie), update(`{"b":1}`))
				return errors.Join(err, update(`{"c":1}`)(w, r))
			}
		}, []string{"get found", "set ok", "set conflict", "set ok", "requests_total outcome=hit", "commits_total outcome=saved"}},
		{"dropped", func(h *Handler, _ *failingStore, cookie *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return func(w http.ResponseWriter, r *http.Request) error {
				_, err := serve(h, withCookies(cookie), answering("X-Session-Control", "destroy"))
				return errors.Join(err, update(`{"c":1}`)(w, r))
			}
		}, []string{"get found", "delete ok", "set conflict", "requests_total outcome=hit", "commits_total outcome=saved", "ended_total cause=destroyed"}},
		{"refused", func(*Handler, *failingStore, *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return update(`{`)
		}, nil},
		{"refused", func(*Handler, *failingStore, *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			return update(`[{"op":"remove","path":"/none"}]`)
		}, []string{"get found"}},
		{"failed", func(_ *Handler, s *failingStore, _ *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			s.set = errStore
			return update(`{"a":2}`)
		}, []string{"set error"}},
		{"failed", func(_ *Handler, s *failingStore, _ *http.Cookie) func(http.ResponseWriter, *http.Request) error {
			s.remove = errStore
			return answering("X-Session-Control", "destroy")
		}, []string{"delete error"}},
	} {
		t.Run(test.outcome, func(t *testing.T) {
			h, store := withFailingStore(t, "")
			cookie := create(t, h, `{"a":1}`)
			next := test.next(h, store, cookie)
			want := []string{"requests_total outcome=hit", "commits_total outcome=" + test.outcome, operation("get found")}
			for _, name := range test.want {
				if !strings.Contains(name, "=") {
					name = operation(name)
				}
				want = append(want, name)
			}
			metricstest.Want(t, counted(t, func() { _, _ = serve(h, withCookies(cookie), next) }), want...)
		})
	}
}

// operation is the name of the counter for "get found" and the like.
func operation(name string) string {
	op, outcome, _ := strings.Cut(name, " ")
	return "store_operations_total operation=" + op + " outcome=" + outcome + " store=failing"
}

// touchInterval is longer than a request of a test. A longer request touches its session again.
const touchInterval = 300 * time.Millisecond

func TestTouchCounted(t *testing.T) {
	for outcome, err := range map[string]error{"ok": nil, "error": errStore} {
		t.Run(outcome, func(t *testing.T) {
			h, store := withFailingStore(t, "touch_interval "+touchInterval.String())
			cookie := create(t, h, `{"a":1}`)
			store.touch = err
			time.Sleep(touchInterval + 50*time.Millisecond)
			metricstest.Want(t, counted(t, func() {
				if _, err := serve(h, withCookies(cookie), answering()); err != nil {
					t.Error(err)
				}
				awaitRelease(t, h, store)
			}), "requests_total outcome=hit", "commits_total outcome=touched", operation("get found"), operation("touch "+outcome))
		})
	}
}

// awaitRelease ends the configuration and waits until nothing uses its store.
func awaitRelease(t *testing.T, h *Handler, store *failingStore) {
	t.Helper()
	if err := h.Cleanup(); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if store.counted.released.Load() == 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the store is still in use")
}

// A response that fails before its head counts as no commit.
func TestUnfinishedNotCounted(t *testing.T) {
	h, _ := withFailingStore(t, "")
	metricstest.Want(t, counted(t, func() {
		_, err := serve(h, withCookies(), func(http.ResponseWriter, *http.Request) error { return errors.New("app is down") })
		if err == nil {
			t.Error("no error")
		}
	}), "requests_total outcome=anonymous")
}

// TestMetricsOutliveConfigurations provisions two handlers in each of three configurations.
func TestMetricsOutliveConfigurations(t *testing.T) {
	const hits = "requests_total outcome=anonymous"
	var last float64
	for n := range 3 {
		ctx, err := caddy.ProvisionContext(&caddy.Config{StorageRaw: []byte(`{"module":"file_system","root":"` + t.TempDir() + `"}`)})
		if err != nil {
			t.Fatal(err)
		}
		for _, options := range []string{"", "name other"} {
			h := new(Handler)
			if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + inMemory(t, options) + "\n}")); err != nil {
				t.Fatal(err)
			}
			if err := h.Provision(ctx); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = h.Cleanup() })
			if _, err := serve(h, withCookies(), answering()); err != nil {
				t.Fatal(err)
			}
		}
		got := metricstest.Scrape(t, ctx.GetMetricsRegistry())[hits]
		if n > 0 && got != last+2 {
			t.Errorf("configuration %d has counted %v, want %v", n, got, last+2)
		}
		last = got
	}
}

// All labels have one of a few values, whatever clients request.
func TestLabelsAreBounded(t *testing.T) {
	allowed := []string{
		"get", "set", "delete", "touch", "ok", "found", "missing", "conflict", "error", "canceled",
		"anonymous", "hit", "expired", "forged", "unavailable",
		"none", "touched", "saved", "conflict_retried", "dropped", "refused", "limited", "failed",
		"destroyed", "revoked", "evicted", "limit",
		"", "memory", "bolt", "file", "redis", "none", "failing", "counted", "closing", "broken", "hanging", // stores
	}
	h := mustProvision(t, inMemory(t, "name shop"))
	r := withCookies(&http.Cookie{Name: "caddy_session_shop", Value: "evil"})
	r.Host = "evil.example"
	if _, err := serve(h, r, answering("X-Session-Shop-Update", `{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range metricstest.Scrape(t, mustRegister(t)) {
		for _, label := range strings.Split(name, " ")[1:] {
			n++
			if _, value, _ := strings.Cut(label, "="); !slices.Contains(allowed, value) {
				t.Errorf("%s: unexpected label value", name)
			}
		}
	}
	if n == 0 {
		t.Error("no labels")
	}
}
