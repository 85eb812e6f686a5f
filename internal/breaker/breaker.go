// Package breaker keeps a server that is dead from costing every request a timeout.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Breaker is a circuit breaker for one server. All methods may be called by many goroutines at
// once. Make one with [New].
type Breaker struct {
	slow     time.Duration
	onChange func(err error)

	// failing counts failures since the last success. From tolerated on, the circuit is open.
	failing atomic.Int32

	mu      sync.Mutex
	probing bool
	retryAt time.Time
	pause   time.Duration
	open    error // what [Breaker.Enter] returns
}

const (
	// tolerated is how many times in a row a server may be unreachable before the circuit opens.
	tolerated = 3

	// While the circuit is open, one command at a time is let through to see whether the server is
	// back.
	minPause, maxPause = 25 * time.Millisecond, 250 * time.Millisecond
)

// ErrOpen means that nothing was sent. Its text says why the server was out of reach.
var ErrOpen = errors.New("the server is unreachable; the next attempt follows soon")

// New returns a breaker whose circuit is closed. A server that has not answered within slow counts
// as hanging; a request that had less time says nothing about it. onChange is called when the
// circuit opens, with the error, and when it closes, with nil; it must not block, and may be nil.
func New(slow time.Duration, onChange func(err error)) *Breaker {
	return &Breaker{slow: slow, onChange: onChange}
}

// Enter says whether a command may go to the server now, or else returns [ErrOpen], and whether it
// is the one that probes.
func (b *Breaker) Enter() (probe bool, err error) {
	if !b.Open() {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.Open() {
		return false, nil
	}
	if b.probing || time.Now().Before(b.retryAt) {
		return false, b.open
	}
	b.probing = true
	return true, nil
}

// Open reports whether the circuit is open.
func (b *Breaker) Open() bool { return b.failing.Load() >= tolerated }

// Verdict is what the end of a command says about the server.
type Verdict int

// The verdicts.
const (
	Nothing Verdict = iota
	Answers
	Unreachable
)

// Leave says how a command with this context has ended that began at start, and whether the server
// has answered, if only with an error.
func (b *Breaker) Leave(ctx context.Context, probe bool, start time.Time, answered bool, err error) {
	switch {
	case answered:
		b.Settle(probe, Answers, err)
	case b.isUnreachable(ctx, start, err):
		b.Settle(probe, Unreachable, err)
	default:
		b.Settle(probe, Nothing, err)
	}
}

// Settle is [Breaker.Leave] for those who know better what the error means.
func (b *Breaker) Settle(probe bool, v Verdict, err error) {
	if v == Answers && !probe && b.failing.Load() == 0 {
		return
	}
	b.mu.Lock()
	before := b.failing.Load()
	after := before
	switch v {
	case Answers:
		after, b.pause = 0, 0
	case Unreachable:
		after = min(before+1, tolerated)
	}
	if probe {
		b.probing = false
	}
	if after == tolerated && (probe || before < tolerated) {
		b.pause = min(max(2*b.pause, minPause), maxPause)
		b.retryAt = time.Now().Add(b.pause)
		if v == Unreachable {
			b.open = fmt.Errorf("%w: %s", ErrOpen, err.Error()) // only its text: a driver that finds a network error in it tries again
		}
	}
	b.failing.Store(after)
	b.mu.Unlock()
	switch {
	case b.onChange == nil:
	case before < tolerated && after == tolerated:
		b.onChange(err)
	case before == tolerated && after == 0:
		b.onChange(nil)
	}
}

// isUnreachable reports whether the error says that the server is dead or hangs. A connection that
// has broken says nothing about the server: the next one may work. Nor does a timeout that was
// short, if only because this process is starved.
func (b *Breaker) isUnreachable(ctx context.Context, start time.Time, err error) bool {
	if errors.Is(err, context.Canceled) {
		return false // the client hung up, perhaps while it was being connected
	}
	var ne net.Error
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
	if !timedOut {
		return IsDial(err)
	}
	if end, ok := ctx.Deadline(); ok && end.Sub(start) < b.slow {
		return false
	}
	return time.Since(start) >= b.slow
}

// IsDial reports whether the server could not be connected to, so that nothing was sent.
func IsDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
