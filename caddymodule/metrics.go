package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The metrics belong to the process. Every configuration has its own registry, and all registries
// show the same metrics, so a reload does not reset them.
//
// A label has one of few values: an outcome, an operation, the name of a store. The counters of all
// outcomes are looked up once at the start.
var (
	requestsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_requests_total",
		Help: "Requests to a session handler, by the result of loading the session.",
	}, []string{"outcome"})

	commitsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_session_commits_total",
		Help: "Responses of a session handler, by the result of saving the session.",
	}, []string{"outcome"})
)

// registerMetrics adds the metrics to a configuration's registry. Every handler of a configuration
// calls it.
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
	requestAnonymous   = iota // no session cookie
	requestHit                // the session exists
	requestExpired            // a valid cookie without a session
	requestForged             // session cookies, none of them valid
	requestUnavailable        // the session could not be loaded
	requestCanceled           // the client closed the connection while the session was loaded
)

// The outcomes of commits.
const (
	commitNone            = iota // nothing to save
	commitTouched                // nothing to save, the use of the session is recorded
	commitSaved                  // saved
	commitConflictRetried        // saved after a conflict with another writer
	commitDropped                // the session had ended
	commitRefused                // the change was invalid
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

// countRequest counts the request after the session was looked up.
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
