package http_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/caddy-session/caddy-session/test/harness"
)

// collector receives spans like an OpenTelemetry collector.
type collector struct {
	t     *testing.T
	mu    sync.Mutex
	spans []*tracepb.Span
}

func (c *collector) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/traces" {
		return // requests for others
	}
	var data tracepb.TracesData // sent to a collector, too
	if err := proto.Unmarshal(body, &data); err != nil {
		c.t.Errorf("spans: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range data.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named returns the spans with this name so far.
func (c *collector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if span.GetName() == name {
			found = append(found, span)
		}
	}
	return found
}

// TestTracing checks that the spans of store operations are below the request's span, if Caddy
// traces, and that there are none otherwise.
func TestTracing(t *testing.T) {
	received := &collector{t: t}
	for name, value := range map[string]string{
		"OTEL_TRACES_EXPORTER":        "otlp",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + harness.Backend(t, received.receive),
		"OTEL_BSP_SCHEDULE_DELAY":     "20", // milliseconds
	} {
		t.Setenv(name, value)
	}
	c := start(t, `
http://$ADDR {
	handle /traced {
		tracing {
			span traced
		}
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy $BACKEND
	}
	handle {
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy $BACKEND
	}
}`)
	b := visit(t, c)
	b.change("update", `{"a":1}`).issues()
	b.look().holds(`{"a":1}`)
	b.get(ask("/traced", "update", `{"a":2}`)).want(http.StatusOK)
	ref := b.look().holds(`{"a":2}`).info().ref

	eventually(t, "the spans have arrived", func() bool {
		return len(received.named("traced")) > 0 && len(received.named("session get")) > 0 && len(received.named("session set")) > 0
	})
	c.Stop() // flushes the spans
	requests := received.named("traced")
	if len(requests) != 1 {
		t.Fatalf("%d spans of requests, want 1", len(requests))
	}
	for _, operation := range []string{"get", "set"} {
		spans := received.named("session " + operation)
		if len(spans) != 1 {
			t.Errorf("%d spans of a %s, want 1", len(spans), operation)
			continue
		}
		span := spans[0]
		if string(span.GetParentSpanId()) != string(requests[0].GetSpanId()) || string(span.GetTraceId()) != string(requests[0].GetTraceId()) {
			t.Errorf("the %s is below %s, want %s", operation, hex.EncodeToString(span.GetParentSpanId()), hex.EncodeToString(requests[0].GetSpanId()))
		}
		if span.GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
			t.Errorf("the %s is of the kind %s", operation, span.GetKind())
		}
		values := make(map[string]string)
		for _, a := range span.GetAttributes() {
			values[a.GetKey()] = a.GetValue().GetStringValue()
		}
		if values["db.system.name"] != "memory" || values["db.operation.name"] != operation {
			t.Errorf("the %s has the attributes %v", operation, values)
		}
		for _, text := range append(issued(), ref) {
			if strings.Contains(span.String(), text) {
				t.Errorf("the %s names the session", operation)
			}
		}
	}
}
