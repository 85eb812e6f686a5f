package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// guard stands before each server: in a Cluster one that is dead costs the others nothing. It is a circuit breaker, so that a dead
// server costs a request microseconds and not a timeout each, and it notes which commands
// may have been executed without an answer.
type guard struct {
	addr    string
	onState func(addr string, err error)

	// slow is when a server that has not answered yet counts as hanging. A request that had less time
	// says nothing about the server.
	slow time.Duration

	// failing counts failures since the last success. From tolerated on, the circuit is open.
	failing atomic.Int32

	mu      sync.Mutex
	probing bool
	retryAt time.Time
	pause   time.Duration
}

const (
	// tolerated is how many times in a row a server may be unreachable before the circuit opens.
	tolerated = 3

	// While the circuit is open, one command at a time is let through to see whether the server is back.
	minPause, maxPause = 25 * time.Millisecond, 500 * time.Millisecond
)

var errOpen = errors.New("the server has been out of reach, and is tried again soon")

func newGuard(addr string, o *Options) *guard {
	return &guard{addr: addr, onState: o.OnState, slow: min(o.DialTimeout, o.ReadTimeout, o.WriteTimeout) / 2}
}

// enter says whether a command may go to the server now, and whether it is the one that probes.
func (g *guard) enter() (probe bool, err error) {
	if g.failing.Load() < tolerated {
		return false, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failing.Load() < tolerated {
		return false, nil
	}
	if g.probing || time.Now().Before(g.retryAt) {
		return false, errOpen
	}
	g.probing = true
	return true, nil
}

// leave says how a command has ended that began at start.
func (g *guard) leave(probe bool, start time.Time, err error) {
	answered := err == nil || isReply(err)
	if answered && g.failing.Load() == 0 {
		return
	}
	g.mu.Lock()
	before := g.failing.Load()
	after := before
	switch {
	case answered:
		after, g.pause = 0, 0
	case g.isUnreachable(start, err):
		after = min(before+1, tolerated)
	}
	if probe {
		g.probing = false
	}
	if after == tolerated && (probe || before < tolerated) {
		g.pause = min(max(2*g.pause, minPause), maxPause)
		g.retryAt = time.Now().Add(g.pause)
	}
	g.failing.Store(after)
	g.mu.Unlock()
	switch {
	case g.onState == nil:
	case before < tolerated && after == tolerated:
		g.onState(g.addr, err)
	case before == tolerated && after == 0:
		g.onState(g.addr, nil)
	}
}

// isReply reports whether the server has answered, if only with an error.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply)
}

// isUnreachable reports whether the error says that the server is dead or hangs. A connection that has broken says
// nothing about the server: the next one may work.
func (g *guard) isUnreachable(start time.Time, err error) bool {
	var ne net.Error
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
	if timedOut {
		return time.Since(start) >= g.slow
	}
	return isDial(err)
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// mayHaveRun reports whether a command that ended with this error may have been executed.
func mayHaveRun(err error) bool {
	return err != nil && !isReply(err) && !isDial(err) && !errors.Is(err, errOpen) && !errors.Is(err, goredis.ErrPoolTimeout)
}

// DialHook implements [goredis.Hook].
func (g *guard) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements [goredis.Hook].
func (g *guard) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		probe, err := g.enter()
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		start := time.Now()
		err = next(ctx, cmd)
		g.leave(probe, start, err)
		if c, ok := cmd.(*command); ok && mayHaveRun(err) {
			c.uncertain = true
		}
		return err
	}
}

// ProcessPipelineHook implements [goredis.Hook].
func (g *guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		probe, err := g.enter()
		if err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		start := time.Now()
		err = next(ctx, cmds)
		g.leave(probe, start, err)
		if err == nil {
			return nil
		}
		for _, cmd := range cmds {
			if c, ok := cmd.(*command); ok && mayHaveRun(c.Err()) {
				c.uncertain = true
			}
		}
		return err
	}
}

// Interface guard
var _ goredis.Hook = (*guard)(nil)
