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

// guard is a hook of the client of one server. Its circuit breaker makes a request fail in
// microseconds while the server is down, and without effect on the other servers of a Cluster. It
// also marks the commands that may have run without a reply.
type guard struct {
	breaker *breaker.Breaker

	// refused, if not nil, is called when the server refuses a command that sets up a connection.
	refused func(error)
}

func newGuard(addr string, o *Options) *guard {
	return &guard{breaker: breaker.New(min(o.DialTimeout, o.ReadTimeout, o.WriteTimeout)/2, addr, o.OnState)}
}

// isReply reports whether the server replied, even if with an error.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply) || errors.As(err, new(maxClientsError))
}

// mayHaveRun reports whether a command that failed with err may have run on the server.
func mayHaveRun(err error) bool {
	return err != nil && !isReply(err) && !breaker.IsDial(err) && !errors.Is(err, breaker.ErrOpen) && !errors.Is(err, goredis.ErrPoolTimeout)
}

// isSetup reports whether go-redis itself sent the command, on a new connection. Such commands
// bypass the breaker: they are part of the command that needs the connection, and would be rejected
// while that one is the breaker's probe.
func isSetup(cmd goredis.Cmder) bool {
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

// setUp converts the error of a command that sets up a connection. No reply counts as a failed
// dial, since nothing else was sent: a load balancer without servers accepts and then closes the
// connection.
func (g *guard) setUp(cmd goredis.Cmder, err error) error {
	if err == nil {
		return nil
	}
	if !isReply(err) {
		err = fmt.Errorf("%s: %w", cmd.Name(), dialError(err)) // go-redis unwraps the error once
		cmd.SetErr(err)
		return err
	}
	if g.refused != nil {
		g.refused(err)
	}
	if goredis.IsMaxClientsError(err) {
		// The server closes the connection after this reply. Without the conversion, our own
		// command would count as one whose reply was lost.
		err = maxClientsError{err}
		cmd.SetErr(err)
	}
	return err
}

// dialError returns err as an error that [breaker.IsDial] recognizes.
func dialError(err error) error {
	if breaker.IsDial(err) {
		return err
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

// maxClientsError is the reply of a server that has reached maxclients. It hides that this is a
// reply, so that go-redis discards the connection.
type maxClientsError struct{ reply error }

func (e maxClientsError) Error() string { return e.reply.Error() }

// DialHook implements [goredis.Hook]. The dial includes the TLS handshake.
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
		if isSetup(cmd) {
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
		if isSetup(cmds[0]) {
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
