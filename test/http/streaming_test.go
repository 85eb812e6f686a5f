package http_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

var flushed = newSite("flushed", `
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND {
		flush_interval -1
	}`)

// waits returns when c is closed, and fails the test at the time limit.
func waits(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("timed out waiting until " + what)
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	more, end := make(chan struct{}), make(chan struct{})
	stream := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Session-Update", `{"streaming":true}`)
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, "data: 2\n\n")
		_ = http.NewResponseController(w).Flush()
		<-end
	})
	r := stream.open(stream.request(http.MethodGet, "/", nil)).want(http.StatusOK).hides()
	events := bufio.NewReader(r.Body)
	if line, err := events.ReadString('\n'); err != nil || line != "data: 1\n" {
		t.Fatalf("first event %q, %v", line, err)
	}
	// The change was saved before the first byte, and the stream does not block other requests.
	b.look().holds(`{"a":1,"streaming":true}`)
	b.change("update", `{"a":2}`)
	close(more)
	_, _ = events.ReadString('\n')
	if line, err := events.ReadString('\n'); err != nil || line != "data: 2\n" {
		t.Fatalf("second event %q, %v", line, err)
	}
	close(end)
	if _, err := io.ReadAll(events); err != nil {
		t.Fatalf("the stream ended with an error: %v", err)
	}
	b.look().holds(`{"a":2,"streaming":true}`)
}

// A flushed head begins the response before the body.
func TestFlushedHeadCommits(t *testing.T) {
	t.Parallel()
	b := flushed.browser(t)
	end := make(chan struct{})
	stream := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"a":1}`)
		_ = http.NewResponseController(w).Flush()
		<-end
	})
	r := stream.open(stream.request(http.MethodGet, "/", nil)).hides()
	r.issues()
	b.look().holds(`{"a":1}`)
	close(end)
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
}

// A body of many flushed pieces arrives complete.
func TestManyFlushes(t *testing.T) {
	t.Parallel()
	r := flushed.browser(t).via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"a":1}`)
		for range 100 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			_ = http.NewResponseController(w).Flush()
		}
	}).get("/").want(http.StatusOK)
	r.issues()
	if len(r.body) != 100000 {
		t.Errorf("%d bytes came", len(r.body))
	}
}

// tracing returns a request that records the 1xx responses.
func tracing(r *http.Request, seen func(code int, header http.Header)) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			seen(code, http.Header(header))
			return nil
		},
	}))
}

func TestEarlyHints(t *testing.T) {
	t.Parallel()
	b := fields.browser(t)
	b.change("update", `{"a":1}`).issues()
	hinted, final := make(chan struct{}), make(chan struct{})
	early := b.via(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</style.css>; rel=preload")
		h.Set("X-Session-Update", `{"early":1}`)
		h.Set("X-Session-Flash", `"early"`)
		h.Set("X-Session-Control", "destroy")
		h.Set("X-Login", "early")
		h["X_session_update"] = []string{`{"early":2}`}
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		<-final
		for name := range h {
			delete(h, name)
		}
		h.Set("X-Session-Update", `{"final":1}`)
		h.Set("X-Final", "1")
		w.WriteHeader(http.StatusAccepted)
	})
	var codes []int
	r := tracing(early.request(http.MethodGet, "/", nil), func(code int, header http.Header) {
		codes = append(codes, code)
		if header.Get("Link") == "" {
			t.Errorf("a %d without its Link", code)
		}
		for _, name := range []string{"X-Session-Update", "X-Session-Flash", "X-Session-Control", "X-Login", "X_session_update", "X_Session_Update", "Set-Cookie"} {
			if header[name] != nil {
				t.Errorf("%s in a %d", name, code)
			}
		}
		if len(codes) == 2 {
			close(hinted)
		}
	})
	done := make(chan *reply, 1)
	go func() { done <- early.attempt(r) }()
	waits(t, "the 103 arrives", hinted)
	// No commit: neither an update, nor a destroy, nor a login.
	b.look().holds("{}").flashes("")
	if !b.look().info().exists {
		t.Fatal("a 103 ended the session")
	}
	close(final)
	resp := <-done
	resp.want(http.StatusAccepted).hides().keeps()
	if resp.Header.Get("X-Final") == "" || resp.Header.Get("Link") != "" {
		t.Errorf("final head: %v", resp.Header)
	}
	if got := resp.Header.Values("Vary"); len(got) != 1 {
		t.Errorf("Vary %q", got)
	}
}

// Only the proxy names a session, in 1xx responses too.
func TestEarlyHintsCannotSetOurCookie(t *testing.T) {
	t.Parallel()
	b := plain.browser(t).via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "caddy_session=planted; Path=/")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		w.WriteHeader(http.StatusOK)
	})
	hints := 0
	r := tracing(b.request(http.MethodGet, "/", nil), func(code int, header http.Header) {
		hints++
		for _, c := range header["Set-Cookie"] {
			if strings.HasPrefix(c, "caddy_session=") {
				t.Errorf("our cookie's name in a %d: %s", code, c)
			}
		}
	})
	b.send(r)
	if hints != 1 {
		t.Errorf("%d hints", hints)
	}
}

func TestResponseTrailers(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*site{"plain": plain, "flushed": flushed} {
		for _, announced := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " announced", false: " not announced"}[announced], func(t *testing.T) {
				t.Parallel()
				b := s.browser(t)
				b.change("update", `{"a":1}`)
				r := b.via(func(w http.ResponseWriter, r *http.Request) {
					prefix := http.TrailerPrefix
					if announced {
						prefix = ""
						w.Header().Add("Trailer", "X-Session-Update, X-Checksum")
						w.Header().Add("Trailer", "x-session-control")
						w.Header().Add("Trailer", "X_Session_Flash")
					}
					w.Header().Set("X-Session-Update", `{"head":1}`)
					_, _ = io.WriteString(w, "body")
					_ = http.NewResponseController(w).Flush()
					w.Header()[prefix+"X-Session-Update"] = []string{`{"trailer":1}`}
					w.Header()[prefix+"X-Session-Control"] = []string{"destroy"}
					w.Header()[prefix+"X_Session_Flash"] = []string{`"x"`}
					w.Header().Set(prefix+"X-Checksum", "abc")
				}).get("/").want(http.StatusOK).hides().keeps()
				if string(r.body) != "body" || r.Trailer.Get("X-Checksum") != "abc" {
					t.Errorf("body %q, trailers %v", r.body, r.Trailer)
				}
				for name := range r.Trailer {
					if name != "X-Checksum" {
						t.Errorf("trailer %s", name)
					}
				}
				b.look().holds(`{"a":1,"head":1}`).flashes("")
			})
		}
	}
}

var deleting = newSite("deleting", `
	header -X-Powered-By
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND`)

// Outer handlers may delete headers after the head was sent, so the number of headers does not tell
// which are trailers.
func TestAttackTrailerAfterDeletedHeader(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*site{"header directive": deleting, "two sessions": twoNames} {
		for _, announced := range []bool{true, false} {
			for _, trailer := range []string{"X-Session-Update", "X-Session-Shop-Update"} {
				if trailer == "X-Session-Shop-Update" && s == deleting {
					continue
				}
				t.Run(fmt.Sprint(name, " ", trailer, " ", announced), func(t *testing.T) {
					t.Parallel()
					s.browser(t).via(func(w http.ResponseWriter, r *http.Request) {
						prefix := http.TrailerPrefix
						if announced {
							prefix = ""
							w.Header().Set("Trailer", trailer)
						}
						w.Header().Set("X-Powered-By", "test")
						w.Header().Set("X-Session-Update", "{}")
						_, _ = io.WriteString(w, "body")
						_ = http.NewResponseController(w).Flush()
						w.Header().Set(prefix+trailer, `{"a":1}`)
					}).get("/").want(http.StatusOK).hides()
				})
			}
		}
	}
}

func TestRequestTrailersPass(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	r := b.request(http.MethodPost, "/", io.MultiReader(strings.NewReader("body")))
	r.Trailer = http.Header{"X-Checksum": {"abc"}, "X-Session-Data": {`{"evil":1}`}, "X-Session-Info": {"exists"}}
	sent := b.send(r).want(http.StatusOK).holds(`{"a":1}`).sent()
	if sent.Body != "body" || sent.Trailer.Get("X-Checksum") != "abc" {
		t.Errorf("the backend got %q, %v", sent.Body, sent.Trailer)
	}
	for name := range sent.Trailer {
		if name != "X-Checksum" {
			t.Errorf("the backend got the trailer %s", name)
		}
	}
}

func TestEveryStatusCommits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method string
		status string
	}{
		{http.MethodHead, "200"},
		{http.MethodGet, "204"},
		{http.MethodGet, "205"},
		{http.MethodGet, "304"},
		{http.MethodGet, "302"},
		{http.MethodGet, "404"},
		{http.MethodGet, "418"},
		{http.MethodGet, "500"},
		{http.MethodGet, "503"},
		{http.MethodGet, "599"},
		{http.MethodPost, "201"},
		{http.MethodOptions, "200"},
		{"BREW", "200"},
	} {
		t.Run(test.method+" "+test.status, func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			path := ask("/", "status", test.status, "update", `{"a":1}`, "Etag", `"x"`, "Location", "/there")
			r := b.send(b.request(test.method, path, nil)).hides()
			r.issues()
			if got := r.Status[:3]; got != test.status {
				t.Errorf("status %s", got)
			}
			if r.Header.Get("Etag") != `"x"` {
				t.Error("the backend's headers are missing")
			}
			b.look().holds(`{"a":1}`)
			b.send(b.request(test.method, ask("/", "status", test.status, "control", "destroy"), nil)).hides().expires()
			b.look().holds("{}")
		})
	}
}

var empty = newSite("empty", `
	route {
		session {
			store memory
			secret $SECRET
		}
		route /nothing {
			header X-Session-Update "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":1}]"
		}
		route /respond {
			header X-Session-Update "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":1}]"
			respond "hello"
		}
		route /status {
			header X-Session-Update "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":1}]"
			respond 204
		}
		route /deferred {
			header >X-Session-Update "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":1}]"
			respond "hello"
		}
		route /refused {
			header X-Session-Update "{"
		}
		route /refused/respond {
			header X-Session-Update "{"
			header Etag "\"x\""
			respond "secret text" 201
		}
		@root path /
		reverse_proxy @root $BACKEND
	}`)

// A handler that writes nothing makes an empty response with status 200.
func TestHandlersWithoutBackend(t *testing.T) {
	t.Parallel()
	b := empty.browser(t)
	r := b.get("/nothing").want(http.StatusOK).hides()
	r.issues()
	if len(r.body) != 0 || r.Header.Get("Vary") != "Cookie" {
		t.Errorf("body %q, head %v", r.body, r.Header)
	}
	b.get("/respond").want(http.StatusOK).hides().keeps()
	b.get("/status").want(http.StatusNoContent).hides().keeps()
	b.get("/deferred").want(http.StatusOK).hides().keeps()
	b.look().holds(`{"n":4}`)
	for _, path := range []string{"/refused", "/refused/respond"} {
		r := b.get(path).want(http.StatusBadGateway).hides().keeps()
		if len(r.body) != 0 || r.Header["Etag"] != nil {
			t.Errorf("%s: body %q, head %v", path, r.body, r.Header)
		}
	}
	b.look().holds(`{"n":4}`)
}

// The client hangs up after the head: the backend's change is saved.
func TestHangUpAfterTheHead(t *testing.T) {
	t.Parallel()
	b := flushed.browser(t)
	b.change("update", `{"a":1}`)
	gone := make(chan struct{})
	stream := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"a":2}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(context.Background())
	r := stream.open(stream.request(http.MethodGet, "/", nil).WithContext(ctx))
	cancel()
	_ = r.Body.Close()
	waits(t, "the backend notices that the client has gone", gone)
	b.look().holds(`{"a":2}`)
}
