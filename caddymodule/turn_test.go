package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// with is a request with the session cookie.
func with(h *Handler, c *http.Cookie, next caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	return withFor(context.Background(), h, c, next)
}

func withFor(ctx context.Context, h *Handler, c *http.Cookie, next caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.AddCookie(c)
	return serve(h, r, next)
}

func dataOf(r *http.Request) string { return r.Header.Get("X-Session-Data") }

func justAnswers(http.ResponseWriter, *http.Request) error { return nil }

// holds begins a request that has the turn until release is called, and whose response begins with
// these headers, if there are any.
func holds(t *testing.T, h *Handler, c *http.Cookie, headers ...string) (release func() *httptest.ResponseRecorder) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan *httptest.ResponseRecorder)
	go func() {
		w, _ := with(h, c, func(w http.ResponseWriter, _ *http.Request) error {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			if len(headers) > 0 {
				w.WriteHeader(http.StatusOK)
			}
			close(begun)
			<-end
			return nil
		})
		done <- w
	}()
	<-begun
	return sync.OnceValue(func() *httptest.ResponseRecorder {
		close(end)
		return <-done
	})
}

// An app that reads a counter and writes it back loses nothing.
func TestSerializedRequests(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 60s"))
	c := create(t, h, `{"n":0}`)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _ = with(h, c, func(w http.ResponseWriter, r *http.Request) error {
				n, _ := strconv.Atoi(dataOf(r)[len(`{"n":`) : len(dataOf(r))-1])
				w.Header().Set("X-Session-Update", `{"n":`+strconv.Itoa(n+1)+`}`)
				return nil
			})
		})
	}
	all.Wait()
	_, _ = with(h, c, func(_ http.ResponseWriter, r *http.Request) error {
		if dataOf(r) != `{"n":20}` {
			t.Errorf("the session is %s", dataOf(r))
		}
		return nil
	})
}

// A request that waits too long is a 503. Other sessions, and requests without one, do not wait.
func TestSerializedRequestWaitsTooLong(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 200ms"))
	c, other := create(t, h, `{"n":0}`), create(t, h, `{"n":0}`)
	release := holds(t, h, c)
	defer release()
	if w, err := with(h, c, justAnswers); err == nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d, %v, %s", w.Code, err, w.Body)
	}
	for name, c := range map[string]*http.Cookie{"another session": other, "no session": {Name: "x", Value: "y"}} {
		if w, err := with(h, c, justAnswers); err != nil {
			t.Errorf("%s: %d, %v", name, w.Code, err)
		}
	}
}

// A client that hangs up gives up its place.
func TestSerializedRequestIsCancelled(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 60s"))
	c := create(t, h, `{"n":0}`)
	release := holds(t, h, c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := withFor(ctx, h, c, func(http.ResponseWriter, *http.Request) error {
			t.Error("the app gets the request")
			return nil
		})
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	release()
	if _, err := with(h, c, justAnswers); err != nil {
		t.Error(err)
	}
}

// A stream does not keep others waiting.
func TestStreamGivesUpItsTurn(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 60s"))
	c := create(t, h, `{"n":0}`)
	defer holds(t, h, c, "Content-Type", "text/event-stream")()
	if _, err := with(h, c, justAnswers); err != nil {
		t.Error(err)
	}
}

// A download keeps others waiting for a while, and refuses none.
func TestDownloadGivesUpItsTurn(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 200ms"))
	c := create(t, h, `{"n":0}`)
	defer holds(t, h, c, "Content-Type", "application/zip")()
	if _, err := with(h, c, justAnswers); err != nil {
		t.Error(err)
	}
}

// A request with the new id waits for the one that has got it.
func TestSerializedRequestWithANewID(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests on\nstore_timeout 60s"))
	c := create(t, h, `{"n":0}`)
	renewed, end, order := make(chan *http.Cookie), make(chan struct{}), make(chan string, 2)
	go func() {
		_, _ = with(h, c, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Session-Control", "regenerate")
			w.WriteHeader(http.StatusOK)
			renewed <- (&http.Response{Header: w.Header()}).Cookies()[0]
			<-end
			order <- "the old id"
			return nil
		})
	}()
	c = <-renewed
	go func() {
		_, _ = with(h, c, func(http.ResponseWriter, *http.Request) error {
			order <- "the new id"
			return nil
		})
	}()
	time.Sleep(50 * time.Millisecond) // for a request that would not wait
	close(end)
	if first, second := <-order, <-order; first != "the old id" || second != "the new id" {
		t.Errorf("first comes %s, then %s", first, second)
	}
}

// Without the option, requests run at once.
func TestRequestsAtOnce(t *testing.T) {
	h := mustProvision(t, inMemory(t, "serialize_requests off"))
	c := create(t, h, `{"n":0}`)
	defer holds(t, h, c)()
	if _, err := with(h, c, justAnswers); err != nil {
		t.Error(err)
	}
}
