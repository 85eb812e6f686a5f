package keep

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-session/caddy-session/internal/metricstest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// answeringStore returns the same answer for every operation.
type answeringStore struct {
	sessionstore.Store
	entry sessionstore.Entry
	err   error
}

func (s *answeringStore) Get(context.Context, string) (sessionstore.Entry, error) {
	return s.entry, s.err
}

func (s *answeringStore) CompareAndSet(context.Context, string, []byte, []byte, time.Duration) (sessionstore.Entry, error) {
	return s.entry, s.err
}

func (s *answeringStore) CompareAndDelete(context.Context, string, []byte) (sessionstore.Entry, error) {
	return s.entry, s.err
}

func (s *answeringStore) Touch(context.Context, string, []byte, time.Duration) error { return s.err }

// operate calls an operation by its name, and returns the answer of the store.
func operate(ctx context.Context, s sessionstore.Store, name, key string) (entry sessionstore.Entry, err error) {
	switch name {
	case "get":
		return s.Get(ctx, key)
	case "set":
		return s.CompareAndSet(ctx, key, nil, found.Value, time.Hour)
	case "delete":
		return s.CompareAndDelete(ctx, key, found.Value)
	default:
		return entry, s.Touch(ctx, key, found.Value, time.Hour)
	}
}

var errStore = fmt.Errorf("%w: told to fail", sessionstore.ErrUnavailable)

func mustRegister(tb testing.TB) *prometheus.Registry {
	tb.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Collectors()...)
	return registry
}

// operation is the name of the counter of "get found" and so on.
func operation(name string) string {
	op, outcome, _ := strings.Cut(name, " ")
	return "store_operations_total operation=" + op + " outcome=" + outcome + " store=failing"
}

var found = sessionstore.Entry{Value: []byte("value"), TTL: time.Hour}

var operations = []struct {
	name, outcome string
	entry         sessionstore.Entry
	err           error
}{
	{"get", "found", found, nil},
	{"get", "missing", sessionstore.Entry{}, nil},
	{"get", "error", sessionstore.Entry{}, errStore},
	{"get", "canceled", sessionstore.Entry{}, fmt.Errorf("%w: %w", sessionstore.ErrUnavailable, context.Canceled)},
	{"set", "ok", sessionstore.Entry{}, nil},
	{"set", "conflict", found, sessionstore.ErrConflict},
	{"set", "error", sessionstore.Entry{}, errStore},
	{"set", "canceled", sessionstore.Entry{}, context.Canceled},
	{"delete", "ok", sessionstore.Entry{}, nil},
	{"delete", "conflict", found, sessionstore.ErrConflict},
	{"delete", "error", sessionstore.Entry{}, context.DeadlineExceeded},
	{"delete", "canceled", sessionstore.Entry{}, context.Canceled},
	{"touch", "ok", sessionstore.Entry{}, nil},
	{"touch", "error", sessionstore.Entry{}, errStore},
	{"touch", "canceled", sessionstore.Entry{}, context.Canceled},
}

func TestOperationsCounted(t *testing.T) {
	registry := mustRegister(t)
	for _, op := range operations {
		t.Run(op.name+" "+op.outcome, func(t *testing.T) {
			s := observe(&answeringStore{entry: op.entry, err: op.err}, "failing")
			duration := "store_operation_duration_seconds operation=" + op.name + " store=failing"
			before := metricstest.Scrape(t, registry)[duration]
			metricstest.Want(t, metricstest.Counted(t, registry, func() {
				entry, err := operate(t.Context(), s, op.name, "key")
				if err != op.err || op.name != "touch" && string(entry.Value) != string(op.entry.Value) {
					t.Errorf("answer %v, %v", entry, err)
				}
			}), operation(op.name+" "+op.outcome))
			if n := metricstest.Scrape(t, registry)[duration] - before; n != 1 {
				t.Errorf("%v durations, want 1", n)
			}
		})
	}
}

// All counters exist from the start, so that a rate has a zero to begin with.
func TestAllOutcomesFromTheStart(t *testing.T) {
	observe(&answeringStore{}, "failing")
	got := metricstest.Scrape(t, mustRegister(t))
	for _, op := range operations {
		if _, ok := got[operation(op.name+" "+op.outcome)]; !ok {
			t.Errorf("%s %s is missing", op.name, op.outcome)
		}
	}
}

// tracing returns a recorder of spans, and a function that begins the span of a request.
func tracing(t *testing.T, sampler sdktrace.Sampler) (*tracetest.SpanRecorder, func() (context.Context, trace.Span)) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sampler))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return recorder, func() (context.Context, trace.Span) { return provider.Tracer("test").Start(t.Context(), "request") }
}

func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	values := make(map[string]string)
	for _, a := range span.Attributes() {
		values[string(a.Key)] = a.Value.String()
	}
	return values
}

func TestOperationsTraced(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name+" "+op.outcome, func(t *testing.T) {
			recorder, begin := tracing(t, sdktrace.AlwaysSample())
			ctx, request := begin()
			s := observe(&answeringStore{entry: op.entry, err: op.err}, "failing")
			_, _ = operate(ctx, s, op.name, "the-key")
			spans := recorder.Ended()
			if len(spans) != 1 {
				t.Fatalf("%d spans, want 1", len(spans))
			}
			span := spans[0]
			if span.Name() != "session "+op.name || span.SpanKind() != trace.SpanKindClient || span.Parent().SpanID() != request.SpanContext().SpanID() {
				t.Errorf("span %q of kind %s below %s", span.Name(), span.SpanKind(), span.Parent().SpanID())
			}
			got := attributes(span)
			if got["db.system.name"] != "failing" || got["db.operation.name"] != op.name || got["caddy_session.outcome"] != op.outcome || len(got) != 3 {
				t.Errorf("attributes %v", got)
			}
			if failed := span.Status().Code == codes.Error; failed != (op.outcome == "error") {
				t.Errorf("status %v", span.Status())
			}
			if text := fmt.Sprint(span.Status(), got, span.Events()); strings.Contains(text, "the-key") || strings.Contains(text, "told to fail") {
				t.Errorf("the span tells too much: %s", text)
			}
		})
	}
}

// A request without tracing has no spans, and neither has one that is not sampled.
func TestNotTracedUnlessRecorded(t *testing.T) {
	recorder, begin := tracing(t, sdktrace.NeverSample())
	unsampled, _ := begin()
	s := observe(&answeringStore{entry: found}, "failing")
	for _, ctx := range []context.Context{t.Context(), unsampled} {
		for _, op := range []string{"get", "set", "delete", "touch"} {
			if n := testing.AllocsPerRun(100, func() { _, _ = operate(ctx, s, op, "key") }); n != 0 {
				t.Errorf("%s allocates %v times", op, n)
			}
		}
		if detached(ctx) != context.Background() {
			t.Error("what goes on after the request holds on to it")
		}
	}
	if n := len(recorder.Started()); n != 0 {
		t.Errorf("%d spans", n)
	}
}

// A touch that begins after its request has ended is below that request.
func TestTouchTracedAfterItsRequest(t *testing.T) {
	recorder, begin := tracing(t, sdktrace.AlwaysSample())
	ctx, request := begin()
	ctx = detached(ctx)
	request.End()
	_, _ = operate(ctx, observe(&answeringStore{}, "failing"), "touch", "key")
	spans := recorder.Ended()
	if len(spans) != 2 || spans[1].Parent().SpanID() != request.SpanContext().SpanID() {
		t.Errorf("%d spans, want the request's and the touch's below it", len(spans))
	}
}

func TestUnwrap(t *testing.T) {
	store := memory.New(memory.Options{})
	defer store.Close()
	var s sessionstore.Store = observe(store, "failing")
	if u, ok := s.(interface{ Unwrap() sessionstore.Store }); !ok || u.Unwrap() != sessionstore.Store(store) {
		t.Error("what only this store can do is out of reach")
	}
}

// conflicting breaks the contract of stores.
type conflicting struct{ sessionstore.Store }

func (conflicting) Touch(context.Context, string, []byte, time.Duration) error {
	return sessionstore.ErrConflict
}

func (conflicting) Get(context.Context, string) (sessionstore.Entry, error) {
	return sessionstore.Entry{}, sessionstore.ErrConflict
}

// A store that breaks the contract does not crash Caddy. A touch runs in its own goroutine, where a
// panic would.
func TestAStoreThatBreaksTheContract(t *testing.T) {
	store := observe(conflicting{memory.New(memory.Options{})}, "broken")
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Touch(t.Context(), "key", []byte("x"), time.Hour); err == nil {
		t.Error("no error")
	}
	if _, err := store.Get(t.Context(), "key"); err == nil {
		t.Error("no error")
	}
}

// BenchmarkGet measures a read of the store, with and without metrics.
func BenchmarkGet(b *testing.B) {
	store := memory.New(memory.Options{})
	defer store.Close()
	if _, err := store.CompareAndSet(b.Context(), "key", nil, []byte("value"), time.Hour); err != nil {
		b.Fatal(err)
	}
	r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/", nil), caddy.NewReplacer(), nil, new(caddyhttp.Server))
	ctx := r.Context() // as deep as a request's
	get := func(s sessionstore.Store) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(ctx, "key"); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("bare", get(store))
	b.Run("observed", get(observe(store, "bench")))
}
