package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

// guard stands before each server: in a Cluster one that is dead costs the others nothing. It has a circuit breaker, so that a dead
// server costs a request microseconds and not a timeout each, and it notes which commands
// may have been executed without an answer.
type guard struct {
	breaker *breaker.Breaker

	// refused is called, if it is not nil, with the reply to a new connection that asks for what the server will not do.
	refused func(error)
}

func newGuard(addr string, o *Options) *guard {
	var onChange func(error)
	if o.OnState != nil {
		onChange = func(err error) { o.OnState(addr, err) }
	}
	return &guard{breaker: breaker.New(min(o.DialTimeout, o.ReadTimeout, o.WriteTimeout)/2, onChange)}
}

// isReply reports whether the server has answered, if only with an error.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply) || errors.As(err, new(full))
}

// mayHaveRun reports whether a command that ended with this error may have been executed.
func mayHaveRun(err error) bool {
	return err != nil && !isReply(err) && !breaker.IsDial(err) && !errors.Is(err, breaker.ErrOpen) && !errors.Is(err, goredis.ErrPoolTimeout)
}

// setsUp reports whether go-redis sends a command by itself, on a new connection. It is part of the command that needs the
// connection, and if that probes no other would be let through.
func setsUp(cmd goredis.Cmder) bool {
	if _, ours := cmd.(*command); ours {
		return false
	}
	switch cmd.Name() {
	case "hello", "auth", "select", "client":
		return true
	default:
		return false
	}
}

// setUp judges how a command has ended that sets a connection up. Without an answer there is no connection, and nothing else was
// sent: a load balancer without servers accepts, and hangs up.
func (g *guard) setUp(cmd goredis.Cmder, err error) error {
	if err == nil {
		return nil
	}
	if !isReply(err) {
		err = fmt.Errorf("%s: %w", cmd.Name(), dialError(err)) // go-redis takes off what an error is wrapped in
		cmd.SetErr(err)
		return err
	}
	if g.refused != nil {
		g.refused(err)
	}
	if goredis.IsMaxClientsError(err) {
		// The server hangs up after this. Our own command would be taken for one whose reply was lost.
		err = full{err}
		cmd.SetErr(err)
	}
	return err
}

// dialError is an error of connecting, as [breaker.IsDial] knows them.
func dialError(err error) error {
	if breaker.IsDial(err) {
		return err
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

// full says that the server has as many clients as it may. To go-redis it is no reply, so that it gives the connection up.
type full struct{ reply error }

func (f full) Error() string { return f.reply.Error() }

// DialHook implements [goredis.Hook]. It includes the handshake of TLS.
func (g *guard) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, dialError(err)
		}
		return conn, nil
	}
}

// ProcessHook implements [goredis.Hook].
func (g *guard) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if setsUp(cmd) {
			return g.setUp(cmd, next(ctx, cmd))
		}
		probe, err := g.breaker.Enter()
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		start := time.Now()
		err = next(ctx, cmd)
		g.breaker.Leave(ctx, probe, start, err == nil || isReply(err), err)
		if c, ok := cmd.(*command); ok && mayHaveRun(err) {
			c.uncertain = true
		}
		return err
	}
}

// ProcessPipelineHook implements [goredis.Hook].
func (g *guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if setsUp(cmds[0]) {
			return g.setUp(cmds[0], next(ctx, cmds))
		}
		probe, err := g.breaker.Enter()
		if err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		start := time.Now()
		err = next(ctx, cmds)
		g.breaker.Leave(ctx, probe, start, err == nil || isReply(err), err)
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
