package keep

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// The operations of a store.
const (
	opGet = iota
	opSet
	opDelete
	opTouch
)

// The outcomes of operations.
const (
	opOK       = iota
	opFound    // of a get
	opMissing  // of a get
	opConflict // of a set or a delete
	opError
	opCanceled // the client closed the connection
)

// The metrics belong to the process, like those of requests.
var (
	operationsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_store_operations_total",
		Help: "Operations of the session stores.",
	}, []string{"store", "operation", "outcome"})

	operationSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "caddy_session_store_operation_duration_seconds",
		Help: "How long the operations of the session stores took.",
		// From a read in memory to more than the default store timeout of 1 s.
		Buckets: []float64{
			10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6,
			1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5,
		},
	}, []string{"store", "operation"})

	recordBytes = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "caddy_session_record_bytes",
		Help:    "Size of the records that were saved.",
		Buckets: prometheus.ExponentialBuckets(128, 2, 12), // to 256 KiB, the largest record
	}, []string{"store"})
)

// Collectors returns the metrics of the stores.
func Collectors() []prometheus.Collector {
	return []prometheus.Collector{operationsTotal, operationSeconds, recordBytes, storeGauges}
}

var (
	operationNames = [...]string{opGet: "get", opSet: "set", opDelete: "delete", opTouch: "touch"}
	outcomeNames   = [...]string{
		opOK: "ok", opFound: "found", opMissing: "missing", opConflict: "conflict", opError: "error", opCanceled: "canceled",
	}

	// possible are the outcomes that each operation can have.
	possible = [...][]int{
		opGet:    {opFound, opMissing, opError, opCanceled},
		opSet:    {opOK, opConflict, opError, opCanceled},
		opDelete: {opOK, opConflict, opError, opCanceled},
		opTouch:  {opOK, opError, opCanceled},
	}
)

// observed counts, times and traces the operations of a store, except Close.
type observed struct {
	sessionstore.Store
	name     string
	counters [len(operationNames)][len(outcomeNames)]prometheus.Counter
	seconds  [len(operationNames)]prometheus.Observer
	bytes    prometheus.Observer
}

// observe returns the store with metrics and traces under the name of its module.
func observe(store sessionstore.Store, name string) *observed {
	o := &observed{Store: store, name: name, bytes: recordBytes.WithLabelValues(name)}
	for op, outcomes := range possible {
		o.seconds[op] = operationSeconds.WithLabelValues(name, operationNames[op])
		for _, outcome := range outcomes {
			o.counters[op][outcome] = operationsTotal.WithLabelValues(name, operationNames[op], outcomeNames[outcome])
		}
	}
	return o
}

// Unwrap returns the observed store, for optional interfaces of stores.
func (o *observed) Unwrap() sessionstore.Store { return o.Store }

// Get implements [sessionstore.Store].
func (o *observed) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	ctx, span := o.trace(ctx, opGet)
	began := time.Now()
	entry, err := o.Store.Get(ctx, key)
	success := opMissing
	if entry.Found() {
		success = opFound
	}
	o.done(ctx, opGet, began, span, success, err)
	return entry, err
}

// CompareAndSet implements [sessionstore.Store].
func (o *observed) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	ctx, span := o.trace(ctx, opSet)
	began := time.Now()
	entry, err := o.Store.CompareAndSet(ctx, key, old, value, ttl)
	o.done(ctx, opSet, began, span, opOK, err)
	if err == nil {
		o.bytes.Observe(float64(len(value)))
	}
	return entry, err
}

// CompareAndDelete implements [sessionstore.Store].
func (o *observed) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	ctx, span := o.trace(ctx, opDelete)
	began := time.Now()
	entry, err := o.Store.CompareAndDelete(ctx, key, old)
	o.done(ctx, opDelete, began, span, opOK, err)
	return entry, err
}

// Touch implements [sessionstore.Store].
func (o *observed) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	ctx, span := o.trace(ctx, opTouch)
	began := time.Now()
	err := o.Store.Touch(ctx, key, old, ttl)
	o.done(ctx, opTouch, began, span, opOK, err)
	return err
}

// done counts an operation, and ends its span if it has one.
func (o *observed) done(ctx context.Context, op int, began time.Time, span trace.Span, success int, err error) {
	o.seconds[op].Observe(time.Since(began).Seconds())
	outcome := success
	switch {
	case err == nil:
	case errors.Is(err, sessionstore.ErrConflict):
		outcome = opConflict
	case errors.Is(err, context.Canceled) || ctx.Err() == context.Canceled: // for a driver: a timeout
		outcome = opCanceled
	default:
		outcome = opError
	}
	if o.counters[op][outcome] == nil {
		outcome = opError // such as a conflict in an operation that has none
	}
	o.counters[op][outcome].Inc()
	if span == nil {
		return
	}
	span.SetAttributes(attribute.String("caddy_session.outcome", outcomeNames[outcome]))
	if outcome == opError {
		// The error of a store may contain secrets, and traces may leave the machine. The error is
		// in the log.
		span.SetStatus(codes.Error, "the session store failed")
	}
	span.End()
}

const tracerName = "github.com/caddy-session/caddy-session/caddymodule"

// trace starts a span below that of the request, if the request is recorded. Without Caddy's
// tracing handler it costs one look-up in the context, and the span is nil.
func (o *observed) trace(ctx context.Context, op int) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, nil
	}
	return parent.TracerProvider().Tracer(tracerName).Start(ctx, "session "+operationNames[op],
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("db.system.name", o.name),
			attribute.String("db.operation.name", operationNames[op]),
		))
}

// detached returns a context for work that outlives the request. It keeps nothing but the request's
// span.
func detached(request context.Context) context.Context {
	span := trace.SpanFromContext(request)
	if !span.IsRecording() {
		return context.Background()
	}
	return trace.ContextWithSpan(context.Background(), outlived{span})
}

// outlived is the span of a request that may have ended before its last children begin.
type outlived struct{ trace.Span }

func (outlived) IsRecording() bool { return true }

// Interface guards
var _ sessionstore.Store = (*observed)(nil)
