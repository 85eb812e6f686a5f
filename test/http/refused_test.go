package http_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

var withErrors = newSite("witherrors", `
	header X-Outer kept
	session {
		store memory
		secret $SECRET
	}
	handle /dead {
		reverse_proxy $DEAD
	}
	handle /flushed {
		reverse_proxy $BACKEND {
			flush_interval -1
		}
	}
	handle_path /file/* {
		header X-Session-Update "["
		file_server {
			root $DIR
		}
	}
	handle {
		reverse_proxy $BACKEND
	}
	handle_errors {
		header X-Error-Page yes
		respond "sorry: {err.status_code} [{http.session.error}] update=[{http.request.header.X-Session-Data}] info=[{http.request.header.X-Session-Info}] cookie=[{http.request.header.Cookie}]"
	}`)

// checkErrorPage fails the test unless the response is the error page, without any of the backend's
// headers.
func checkErrorPage(r *reply, status int, reason string) {
	r.t.Helper()
	r.want(status).keeps()
	if r.Header.Get("X-Error-Page") != "yes" || r.Header.Get("X-Outer") != "kept" {
		r.t.Errorf("not the error page: %v", r.Header)
	}
	for _, name := range []string{"Etag", "X-Backend", "Via", "X-Session-Update", "Trailer", "Last-Modified", "Content-Encoding"} {
		if r.Header[name] != nil {
			r.t.Errorf("the backend's %s is in the error page", name)
		}
	}
	body := string(r.body)
	if !strings.Contains(body, reason) || !strings.HasSuffix(body, "update=[] info=[] cookie=[]") || strings.Contains(body, "SECRET") {
		r.t.Errorf("the error page is %q, want %q", body, reason)
	}
}

// refusedHeaders is the head of a response with an invalid change.
func refusedHeaders(w http.ResponseWriter) {
	w.Header().Set("Etag", `"x"`)
	w.Header().Set("X-Backend", "SECRET")
	w.Header().Set("X-Session-Update", "{")
	w.Header().Set("Trailer", "X-Later")
}

// Nothing of the backend's response is forwarded, however it continues.
func TestRefusedCommit(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, r *http.Request, flush bool) {
		refusedHeaders(w)
		for r.Method != http.MethodHead && r.Context().Err() == nil {
			_, _ = io.WriteString(w, strings.Repeat("SECRET ", 1000))
			if flush {
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"short body": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			_, _ = io.WriteString(w, "SECRET")
		},
		"large body": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			_, _ = io.WriteString(w, strings.Repeat("SECRET ", 1<<18))
		},
		"only headers": func(w http.ResponseWriter, r *http.Request) { refusedHeaders(w) },
		"no content": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			w.WriteHeader(http.StatusNoContent)
		},
		"not modified": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			w.WriteHeader(http.StatusNotModified)
		},
		"an error": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			w.WriteHeader(http.StatusNotFound)
		},
		"hints before": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			refusedHeaders(w)
			_, _ = io.WriteString(w, "SECRET")
		},
		"content length": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			w.Header().Set("Content-Length", "1000000")
			_, _ = io.WriteString(w, "SECRET")
		},
		"trailers": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			_, _ = io.WriteString(w, "SECRET")
			w.Header().Set("X-Later", "SECRET")
		},
		"endless":         func(w http.ResponseWriter, r *http.Request) { endless(w, r, false) },
		"endless flushed": func(w http.ResponseWriter, r *http.Request) { endless(w, r, true) },
		"events": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			endless(w, r, true)
		},
		"aborted": func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			_, _ = io.WriteString(w, "SECRET")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for _, path := range []string{"/", "/flushed"} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				b := withErrors.browser(t)
				b.change("update", `{"a":1}`)
				checkErrorPage(b.via(h).get(path), http.StatusBadGateway, "sorry: 502 [X-Session-Update, line 1: invalid change")
				r := b.via(h).send(b.via(h).request(http.MethodHead, path, nil)).want(http.StatusBadGateway).keeps()
				if r.Header["Etag"] != nil || r.Header.Get("X-Error-Page") != "yes" {
					t.Errorf("HEAD: %v", r.Header)
				}
				b.look().holds(`{"a":1}`)
			})
		}
	}
}

// Only a head: the client gets its error when the backend sends the next byte.
func TestRefusedCommitOfASilentBackend(t *testing.T) {
	t.Parallel()
	b := withErrors.browser(t)
	sent, speak := make(chan struct{}), make(chan struct{})
	silent := b.via(func(w http.ResponseWriter, r *http.Request) {
		refusedHeaders(w)
		_ = http.NewResponseController(w).Flush()
		close(sent)
		<-speak
		_, _ = io.WriteString(w, "SECRET")
	})
	r := silent.request(http.MethodGet, "/flushed", nil)
	done := make(chan *reply, 1)
	go func() { done <- silent.attempt(r) }()
	waits(t, "the head is sent", sent)
	close(speak)
	select {
	case r := <-done:
		checkErrorPage(r, http.StatusBadGateway, "invalid change")
	case <-time.After(patience):
		t.Fatal("no response")
	}
}

func TestRefusedCommitOfAFile(t *testing.T) {
	t.Parallel()
	b := withErrors.browser(t)
	if err := os.WriteFile(filepath.Join(caddy().Dir, "big.txt"), []byte(strings.Repeat("SECRET", 1<<18)), 0o600); err != nil {
		t.Fatal(err)
	}
	checkErrorPage(b.get("/file/big.txt"), http.StatusBadGateway, "sorry")
}

func TestBackendDown(t *testing.T) {
	t.Parallel()
	b := withErrors.browser(t)
	b.change("update", `{"a":1}`, "flash", `"x"`)
	r := b.get("/dead")
	checkErrorPage(r, http.StatusBadGateway, "sorry: 502 []")
	b.look().holds(`{"a":1}`)
}

// A backend that aborts in the body: the change in the head was applied.
func TestBackendAbortsMidBody(t *testing.T) {
	t.Parallel()
	b := flushed.browser(t)
	b.change("update", `{"a":1}`)
	broken := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("X-Session-Update", `{"b":2}`)
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	r := broken.open(broken.request(http.MethodGet, "/", nil)).want(http.StatusOK).hides()
	if body, err := io.ReadAll(r.Body); string(body) != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body %q, %v", body, err)
	}
	b.look().holds(`{"a":1,"b":2}`)
}

// A backend that aborts before the head is an error like any other.
func TestBackendAbortsBeforeTheHead(t *testing.T) {
	t.Parallel()
	b := withErrors.browser(t)
	b.change("update", `{"a":1}`)
	checkErrorPage(b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"b":2}`)
		panic(http.ErrAbortHandler)
	}).get("/"), http.StatusBadGateway, "sorry: 502 []")
	b.look().holds(`{"a":1}`)
}

var slowStore = faultySite("slowstore", "secret $SECRET\n store_timeout 15s")

// The client hangs up during the save.
func TestHangUpDuringTheSave(t *testing.T) {
	t.Parallel()
	control, b := slowStore.control(t), slowStore.browser(t)
	b.change("update", `{"a":1}`)
	sets := len(control.Calls())
	gone := make(chan struct{})
	busy := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"a":2}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	tell(t, control, faulty.Set, faulty.Wait)
	ctx, cancel := context.WithCancel(context.Background())
	r := busy.request(http.MethodGet, "/", nil).WithContext(ctx)
	done := make(chan struct{})
	go func() {
		if resp, err := b.client.Do(r); err == nil {
			_ = resp.Body.Close()
		}
		close(done)
	}()
	eventually(t, "the save has begun", func() bool {
		calls := control.Calls()
		return len(calls) > sets && calls[len(calls)-1] == faulty.Set
	})
	cancel()
	waits(t, "the client has gone", done)
	waits(t, "the backend notices it", gone)
	b.look().holds(`{"a":1}`)
	tell(t, control, faulty.Set, "")
	eventually(t, "the change is saved", func() bool { return b.look().given("X-Session-Data") == `{"a":2}` })
}
