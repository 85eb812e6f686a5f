package caddymodule

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// discard is a response writer that does nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// benchmark runs requests through a handler. Without one, it measures the rest.
func benchmark(b *testing.B, h *Handler, update, change string) {
	template := http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-US,en;q=0.5"},
		"Cookie":          {"theme=dark"},
	}
	if update != "" {
		template["Cookie"] = []string{"theme=dark; caddy_session=" + create(b, h, update).Value}
	}
	next := func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Content-Type"] = contentType
		if change != "" {
			w.Header().Set("X-Session-Update", change)
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := &discard{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.header["Server"] = serverName
		r := prepare(w, r)
		r.Header = maps.Clone(template)
		if err := run(h, w, r, next); err != nil {
			b.Fatal(err)
		}
	}
}

var contentType, serverName = []string{"text/html"}, []string{"Caddy"}

func run(h *Handler, w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	if h == nil {
		return next(w, r)
	}
	return h.ServeHTTP(w, r, handlerFunc(next))
}

type handlerFunc func(http.ResponseWriter, *http.Request) error

func (f handlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return f(w, r) }

var benchData = `{"user":{"id":4711,"name":"Zo\u00eb"},"text":"` + strings.Repeat("x", 440) + `"}`

// BenchmarkBare is what the others cost without a handler.
func BenchmarkBare(b *testing.B) { benchmark(b, nil, "", "") }

func BenchmarkAnonymous(b *testing.B) { benchmark(b, mustProvision(b, inMemory(b, "")), "", "") }
func BenchmarkRead(b *testing.B)      { benchmark(b, mustProvision(b, inMemory(b, "")), benchData, "") }
func BenchmarkChange(b *testing.B) {
	benchmark(b, mustProvision(b, inMemory(b, "")), benchData, `[{"op":"increment","path":"/visits","value":1}]`)
}
