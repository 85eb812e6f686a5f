// Package breaker implements a circuit breaker, so that requests do not wait for a server that is
// down.
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

// Breaker is a circuit breaker for one server. Its methods may be called concurrently. [New]
// returns one.
type Breaker struct {
	slow    time.Duration
	server  string
	onState func(server string, err error)

	// failing counts failures since the last success, up to tolerated. Then the circuit is open.
	failing atomic.Int32

	mu      sync.Mutex
	probing bool
	retryAt time.Time
	pause   time.Duration
	open    error // the error that [Breaker.Enter] returns
}

const (
	// tolerated is the number of consecutive failures that open the circuit.
	tolerated = 3

	// The pauses between probes. While the circuit is open, one command at a time probes whether
	// the server is back.
	minPause, maxPause = 25 * time.Millisecond, 250 * time.Millisecond
)

// ErrOpen means that the circuit is open and nothing was sent. The error that wraps it says why the
// server was unreachable.
var ErrOpen = errors.New("the server is unreachable; the next attempt follows soon")

// New returns a breaker whose circuit is closed. A server that has not replied within slow counts
// as unreachable; a request with less time says nothing about the server. onState is called with
// the error when the circuit opens, and with nil when it closes. It must not block, and may be nil.
func New(slow time.Duration, server string, onState func(server string, err error)) *Breaker {
	return &Breaker{slow: slow, server: server, onState: onState}
}

// Enter reports whether a command may be sent. If not, it returns an error that wraps [ErrOpen].
// probe says that the command is the probe. Every Enter without an error must be followed by one
// [Breaker.Leave] or [Breaker.Settle].
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

// Verdict is what the result of a command says about the server.
type Verdict int

// The verdicts: the result says nothing about the server, the server replied, or it is unreachable.
const (
	Nothing Verdict = iota
	Answers
	Unreachable
)

// Leave records the result of a command that began at start. answered says that the server replied,
// even if with an error.
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

// Settle is [Breaker.Leave] for callers that classify the error themselves.
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
			// the text only: drivers retry if they find a network error in the chain
			b.open = fmt.Errorf("%w: %s", ErrOpen, err.Error())
		}
	}
	b.failing.Store(after)
	b.mu.Unlock()
	switch {
	case b.onState == nil:
	case before < tolerated && after == tolerated:
		b.onState(b.server, err)
	case before == tolerated && after == 0:
		b.onState(b.server, nil)
	}
}

// isUnreachable reports whether the error says that the server is down or hangs. A broken
// connection says nothing about the server: the next one may work. Neither does a short timeout,
// perhaps only because this process was short of CPU.
func (b *Breaker) isUnreachable(ctx context.Context, start time.Time, err error) bool {
	if errors.Is(err, context.Canceled) {
		return false // the client has gone, perhaps while connecting
	}
	var ne net.Error
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
	if !timedOut {
		return IsDial(err)
	}
	return b.Waited(ctx, start)
}

// Waited reports whether a command that began at start has waited so long that a server without a
// reply counts as unreachable. One that had less time says nothing about the server.
func (b *Breaker) Waited(ctx context.Context, start time.Time) bool {
	if end, ok := ctx.Deadline(); ok && end.Sub(start) < b.slow {
		return false
	}
	return time.Since(start) >= b.slow
}

// IsDial reports whether connecting failed, so that nothing was sent.
func IsDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
