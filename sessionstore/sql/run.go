package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// attempts is the maximum number of attempts when the database is unreachable.
	attempts = 3

	// transientAttempts is the maximum number of attempts after transient errors such as deadlocks.
	// The context usually ends before.
	transientAttempts = 100
)

// run runs a statement after the table has been checked. It reports as lost whether a failed
// attempt may have been applied.
func (s *Store) run(ctx context.Context, p *pool, f func(context.Context) error) (lost bool, err error) {
	if !s.ready.Load() {
		if err := s.check(ctx); err != nil {
			return false, err
		}
	}
	return s.repeat(ctx, p, f)
}

// repeat runs f until it succeeds or another attempt would be useless.
func (s *Store) repeat(ctx context.Context, p *pool, f func(context.Context) error) (lost bool, err error) {
	return remote.Repeat(ctx, s.unavailable, func() (limit int, lost bool, err error) {
		fault, err := s.attempt(ctx, p, f)
		limit = attempts
		switch fault.Kind {
		case NoTable:
			s.ready.Store(false)
			limit = 0
		case Refused:
			limit = 0
		case Transient:
			limit = transientAttempts
		}
		return limit, fault.Kind == Lost, err
	})
}

// attempt runs f once. Its error is safe to log.
func (s *Store) attempt(ctx context.Context, p *pool, f func(context.Context) error) (Fault, error) {
	if err := p.acquire(ctx); err != nil {
		return Fault{Kind: Refused}, err
	}
	defer p.release()
	if err := s.inPlace(p, false); err != nil {
		return Fault{Kind: Refused}, err
	}
	probe, err := s.breaker.Enter()
	if err != nil {
		return Fault{Kind: Refused}, err
	}
	start, db := time.Now(), p.db()
	own, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	err = f(own)
	if err == nil {
		s.breaker.Settle(probe, breaker.Answers, nil)
		return Fault{Kind: Lost}, s.inPlace(p, true)
	}
	fault, is := s.classify(own, err, start)
	if fault.Kind == ReadOnly && !p.renew(db) {
		fault.Kind = Refused
	}
	err = remote.Redact(own, err, fault.Text)
	s.breaker.Settle(probe, is, err)
	return fault, err
}

// classify says what an error means for the statement and for the breaker.
//
// A timeout says nothing about the database if there was little time, perhaps only because this
// process was short of CPU.
func (s *Store) classify(ctx context.Context, err error, start time.Time) (Fault, breaker.Verdict) {
	var noConnection connectError
	var notSent unsent
	var bad unusable
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	waited := s.breaker.Waited(ctx, start)
	switch fault, answered := s.driver.Fault(err); {
	case errors.As(err, &bad):
		return Fault{bad.kind, bad.Error()}, breaker.Answers
	case errors.As(err, &noConnection):
		if !answered {
			fault.Text = s.reason(err)
		}
		fault = Fault{Transient, "connecting: " + fault.Text}
		if errors.Is(err, context.Canceled) || timedOut && !waited {
			return fault, breaker.Nothing
		}
		if answered {
			fault.Kind = Refused // for example a wrong password
		}
		return fault, breaker.Unreachable
	case answered:
		return fault, breaker.Answers
	case timedOut:
		if waited {
			return Fault{Lost, remote.Text(err)}, breaker.Unreachable
		}
		return Fault{Lost, remote.Text(err)}, breaker.Nothing
	case errors.As(err, &notSent) || errors.Is(err, driver.ErrBadConn):
		return Fault{Transient, remote.Text(err)}, breaker.Nothing
	default:
		return Fault{Lost, remote.Text(err)}, breaker.Nothing
	}
}

// reason says why connecting failed. It uses the innermost error, since the driver's own message
// may quote the DSN.
func (s *Store) reason(err error) string {
	text := remote.Text(err)
	if inner := remote.Innermost(err).Error(); text == remote.Unknown(err) && (s.secret == "" || !strings.Contains(inner, s.secret)) {
		return inner
	}
	return text
}

// unavailable wraps an error for [sessionstore.Store].
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.driver.Name, err)
}
