package caddymodule

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/late"
	"github.com/caddy-session/caddy-session/internal/ended"
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
	for _, c := range slices.Concat(keep.Collectors(), late.Collectors(), []prometheus.Collector{requestsTotal, commitsTotal, ended.Total}) {
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
	commitLimited                // the user has as many sessions as are allowed
	commitFailed                 // the session could not be saved
)

var (
	requests = children(requestsTotal, "anonymous", "hit", "expired", "forged", "unavailable", "canceled")
	commits  = children(commitsTotal, "none", "touched", "saved", "conflict_retried", "dropped", "refused", "limited", "failed")
)

func children(vec *prometheus.CounterVec, outcomes ...string) []prometheus.Counter {
	counters := make([]prometheus.Counter, len(outcomes))
	for i, outcome := range outcomes {
		counters[i] = vec.WithLabelValues(outcome)
	}
	return counters
}

// findings are the names of findings in logs, and how they are counted.
var findings = [...]struct {
	name    string
	counted int
}{
	keep.NoCookie:   {"none", requestAnonymous},
	keep.Forged:     {"forged", requestForged},
	keep.Unknown:    {"unknown", requestExpired},
	keep.OtherScope: {"scope", requestExpired},
	keep.Over:       {"expired", requestExpired},
	keep.Hit:        {"hit", requestHit},
}

// outcomeUnavailable is the name in logs if the session could not be loaded.
const outcomeUnavailable = "unavailable"

// countRequest counts and reports what a request's cookies have led to. A client that has closed
// its connection is not reported.
func (x *exchange) countRequest(err error) {
	outcome := requestUnavailable
	switch {
	case err == nil:
		found := findings[x.Finding]
		outcome, x.report.Outcome = found.counted, found.name
	case x.r.Context().Err() != nil:
		outcome = requestCanceled
	default:
		x.report.Outcome = outcomeUnavailable
	}
	requests[outcome].Inc()
}

// outcomeOf returns the outcome of a commit that was not refused.
func (x *exchange) outcomeOf(o *keep.Outcome) (outcome int) {
	switch {
	case o.Result == sessionstore.Dropped:
		return commitDropped
	case o.Result == sessionstore.Saved && o.Conflicts > 0:
		return commitConflictRetried
	case o.Result == sessionstore.Saved:
		return commitSaved
	case x.Touched:
		return commitTouched
	default:
		return commitNone
	}
}

// reportedCommits are the names of the outcomes in logs. Those without a name are not reported.
var reportedCommits = [...]string{
	commitSaved: "saved", commitConflictRetried: "saved", commitDropped: "dropped", commitRefused: "refused",
	commitLimited: "refused", commitFailed: "failed",
}

// countCommit counts and reports the outcome of a commit.
func (x *exchange) countCommit(outcome int) {
	commits[outcome].Inc()
	x.report.Commit = reportedCommits[outcome]
}
