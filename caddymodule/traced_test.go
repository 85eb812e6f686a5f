package caddymodule

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// tracing returns a recorder of spans, and a function that begins the span of a request.
func tracing(t *testing.T) (*tracetest.SpanRecorder, func() (context.Context, trace.Span)) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return recorder, func() (context.Context, trace.Span) { return provider.Tracer("test").Start(t.Context(), "request") }
}

// All store operations of a request are below its span: also those in the background, and those
// after the client has closed the connection.
func TestRequestTraced(t *testing.T) {
	recorder, begin := tracing(t)
	h, store := withFailingStore(t, "touch_interval "+touchInterval.String())
	cookie := create(t, h, `{"a":1}`)
	time.Sleep(touchInterval + 50*time.Millisecond)

	ctx, request := begin()
	ctx, hangUp := context.WithCancel(ctx)
	_, err := serve(h, withCookies(cookie).WithContext(ctx), func(w http.ResponseWriter, _ *http.Request) error {
		hangUp()
		w.Header().Set("X-Session-Update", `{"b":1}`)
		return nil
	})
	request.End()
	if err != nil {
		t.Fatal(err)
	}
	awaitRelease(t, h, store)
	seen := make(map[string]int)
	for _, span := range recorder.Ended() {
		if span.Name() == "request" {
			continue
		}
		seen[span.Name()]++
		if span.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s is not below the request", span.Name())
		}
	}
	if seen["session get"] != 1 || seen["session set"] == 0 || seen["session touch"] != 1 {
		t.Errorf("spans %v", seen)
	}
}

// slowStore saves slowly, so that parallel changes wait for each other.
type slowStore struct{ sessionstore.Store }

func (s slowStore) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	time.Sleep(5 * time.Millisecond)
	return s.Store.CompareAndSet(ctx, key, old, value, ttl)
}

// Changes that are saved together have one span, below a request that waits for it.
func TestBatchTraced(t *testing.T) {
	recorder, begin := tracing(t)
	h, store := withFailingStore(t, "")
	cookie := create(t, h, `{"n":0}`)
	store.Store = slowStore{store.Store}
	const clients = 16
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			ctx, request := begin()
			defer request.End()
			_, err := serve(h, withCookies(cookie).WithContext(ctx), answering("X-Session-Update", `[{"op":"increment","path":"/n","value":1}]`))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	requests := make(map[trace.SpanID]sdktrace.ReadOnlySpan)
	for _, span := range recorder.Ended() {
		if span.Name() == "request" {
			requests[span.SpanContext().SpanID()] = span
		}
	}
	sets := 0
	for _, span := range recorder.Ended() {
		if span.Name() != "session set" {
			continue
		}
		sets++
		parent, ok := requests[span.Parent().SpanID()]
		if !ok || span.StartTime().Before(parent.StartTime()) || span.EndTime().After(parent.EndTime()) {
			t.Error("a set is not within the request that it is below")
		}
	}
	if len(requests) != clients || sets == 0 || sets >= clients {
		t.Errorf("%d requests, %d sets", len(requests), sets)
	}
}
