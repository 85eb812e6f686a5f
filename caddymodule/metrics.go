package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
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
)

// registerMetrics shows the metrics in a configuration's registry. The handlers of one
// configuration all ask for it.
func registerMetrics(registry prometheus.Registerer) error {
	for _, c := range append(keep.Collectors(), requestsTotal, commitsTotal) {
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
func (x *exchange) countRequest(err error) {
	outcome := requestAnonymous
	switch {
	case err != nil && x.r.Context().Err() != nil:
		outcome = requestCanceled
	case err != nil:
		outcome = requestUnavailable
	case x.Session.Exists():
		outcome = requestHit
	case x.Verified > 0 || x.Ref != "":
		outcome = requestExpired
	case len(x.Cookies) > 0:
		outcome = requestForged
	}
	requests[outcome].Inc()
}

// countCommit counts a commit that was not refused.
func (x *exchange) countCommit(o *keep.Outcome) {
	outcome := commitNone
	switch {
	case o.Result == sessionstore.Dropped:
		outcome = commitDropped
	case o.Result == sessionstore.Saved && o.Conflicts > 0:
		outcome = commitConflictRetried
	case o.Result == sessionstore.Saved:
		outcome = commitSaved
	case x.Touched:
		outcome = commitTouched
	}
	commits[outcome].Inc()
}
