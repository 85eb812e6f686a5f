package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
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
	if err := ctx.Err(); err != nil {
		return false, s.unavailable(err)
	}
	var last error
	for attempt := 1; ; attempt++ {
		fault, err := s.attempt(ctx, p, f)
		if err == nil {
			return lost, nil
		}
		if last != nil && errors.Is(err, breaker.ErrOpen) {
			err = last // the earlier error says why
		}
		last = err
		lost = lost || fault.Kind == Lost
		limit := attempts
		switch fault.Kind {
		case NoTable:
			s.ready.Store(false)
			limit = 0
		case Refused:
			limit = 0
		case Transient:
			limit = transientAttempts
		}
		switch {
		case ended(ctx) != nil:
			return lost, s.unavailable(ended(ctx))
		case attempt >= limit:
			return lost, s.unavailable(err)
		}
		if err := pause(ctx, attempt); err != nil {
			return lost, s.unavailable(err)
		}
	}
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
	probe, err := s.guard.Enter()
	if err != nil {
		return Fault{Kind: Refused}, err
	}
	start, db := time.Now(), p.db()
	own, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	err = f(own)
	if err == nil {
		s.guard.Settle(probe, breaker.Answers, nil)
		return Fault{Kind: Lost}, s.inPlace(p, true)
	}
	fault, is := s.classify(own, err, start)
	if fault.Kind == ReadOnly && !p.renew(db) {
		fault.Kind = Refused
	}
	err = redacted{fault.Text, cause(err, own)}
	s.guard.Settle(probe, is, err)
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
	waited := time.Since(start) >= s.guard.slow
	if end, ok := ctx.Deadline(); ok && end.Sub(start) < s.guard.slow {
		waited = false
	}
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
			return Fault{Lost, plain(err)}, breaker.Unreachable
		}
		return Fault{Lost, plain(err)}, breaker.Nothing
	case errors.As(err, &notSent) || errors.Is(err, driver.ErrBadConn):
		return Fault{Transient, plain(err)}, breaker.Nothing
	default:
		return Fault{Lost, plain(err)}, breaker.Nothing
	}
}

// reason says why connecting failed. It uses the innermost error, since the driver's own message
// may quote the DSN.
func (s *Store) reason(err error) string {
	text := plain(err)
	if inner := innermost(err).Error(); text == unknown(err) && (s.secret == "" || !strings.Contains(inner, s.secret)) {
		return inner
	}
	return text
}

// plain describes an error that is not a reply.
func plain(err error) string {
	var number syscall.Errno
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.As(err, &dns):
		return "server name not found"
	case errors.As(err, &number):
		return number.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no reply in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed):
		return "connection lost"
	default:
		return unknown(err)
	}
}

func unknown(err error) string { return fmt.Sprintf("connection failed (%T)", innermost(err)) }

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// redacted is an error with a text of our own.
type redacted struct {
	text  string
	cause error
}

func (e redacted) Error() string { return e.text }

func (e redacted) Unwrap() error { return e.cause }

// cause returns the context error behind err, if there is one.
func cause(err error, ctx context.Context) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	default:
		return ctx.Err()
	}
}

// ended returns the error of a context that has ended. It compares the deadline itself because on a
// busy machine the context's timer may fire late, after the connection has timed out.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// pause waits before the next attempt. There is no wait before the second: the connection may have
// been broken while it was idle.
func pause(ctx context.Context, attempt int) error {
	if attempt == 1 {
		return nil
	}
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(min(attempt, 5)) * int64(10*time.Millisecond))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unavailable wraps an error for [sessionstore.Store].
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.driver.Name, err)
}
