package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// The metrics belong to the process. Each configuration has a registry of its own, and all of them
// show these, so that a reload does not set them back and any number of handlers share them.
//
// A label is always one of few: an outcome, an operation, a store's name. Its children are looked up
// once, so that a request only adds.
var (
	requestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_requests_total",
		Help: "Requests that reached a session handler, by how they found their session.",
	}, []string{"outcome"})

	commitsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_commits_total",
		Help: "Responses that a session handler has let through or refused, by what became of the session.",
	}, []string{"outcome"})

	operationsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_store_operations_total",
		Help: "Operations of the session stores.",
	}, []string{"store", "operation", "outcome"})

	operationSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "caddy_session_store_operation_duration_seconds",
		Help: "How long the operations of the session stores took.",
		// From a read in memory to beyond the store timeout's default of 1 s.
		Buckets: []float64{
			10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6,
			1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5,
		},
	}, []string{"store", "operation"})
)

// registerMetrics shows the metrics in a configuration's registry. The handlers of one
// configuration all ask for it.
func registerMetrics(registry prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{requestsTotal, commitsTotal, operationsTotal, operationSeconds} {
		if err := registry.Register(c); err != nil && !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
			return err
		}
	}
	return nil
}

// The outcomes of requests.
const (
	requestAnonymous   = iota // no cookie of ours
	requestHit                // a session
	requestExpired            // a cookie that verifies, and no session
	requestForged             // cookies of ours, none of which verifies
	requestUnavailable        // the session could not be loaded
	requestCanceled           // the client hung up before it was
)

// The outcomes of commits.
const (
	commitNone            = iota // nothing to save
	commitTouched                // nothing to save, and the session's use is recorded
	commitSaved                  //
	commitConflictRetried        // saved, on what somebody else had saved in between
	commitDropped                // the session had ended
	commitRefused                // the change was not valid
	commitFailed                 // the session could not be saved
)

var (
	requests = children(requestsTotal, "anonymous", "hit", "expired", "forged", "unavailable", "canceled")
	commits  = children(commitsTotal, "none", "touched", "saved", "conflict_retried", "dropped", "refused", "failed")
)

func children(vec *prometheus.CounterVec, outcomes ...string) []prometheus.Counter {
	counters := make([]prometheus.Counter, len(outcomes))
	for i, outcome := range outcomes {
		counters[i] = vec.WithLabelValues(outcome)
	}
	return counters
}

// countRequest counts the request once it is known whether it has a session.
func (x *exchange) countRequest(id *identity, err error) {
	outcome := requestAnonymous
	switch {
	case err != nil && x.r.Context().Err() != nil:
		outcome = requestCanceled
	case err != nil:
		outcome = requestUnavailable
	case x.session.Exists():
		outcome = requestHit
	case id.n > 0 || id.ref != "":
		outcome = requestExpired
	case len(x.cookies) > 0:
		outcome = requestForged
	}
	requests[outcome].Inc()
}

// countCommit counts a commit that was not refused.
func (x *exchange) countCommit(o *sessionstore.Outcome) {
	outcome := commitNone
	switch {
	case o.Result == sessionstore.Dropped:
		outcome = commitDropped
	case o.Result == sessionstore.Saved && o.Conflicts > 0:
		outcome = commitConflictRetried
	case o.Result == sessionstore.Saved:
		outcome = commitSaved
	case x.touched:
		outcome = commitTouched
	}
	commits[outcome].Inc()
}
