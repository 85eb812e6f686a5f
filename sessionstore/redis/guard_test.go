package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

// See [breaker] for the values.
const (
	tolerated          = 3
	minPause, maxPause = 25 * time.Millisecond, 250 * time.Millisecond
)

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	errTimeout = &net.OpError{Op: "read", Net: "tcp", Err: context.DeadlineExceeded}
	errReply   = goredis.Nil
)

// watched is a guard with the states that it reported.
type watched struct {
	*guard
	t      *testing.T
	states []string
}

func watch(t *testing.T) *watched {
	w := &watched{t: t}
	o := Options{Addrs: []string{"a:1"}, OnState: func(addr string, err error) {
		w.states = append(w.states, fmt.Sprint(addr, " ", err != nil))
	}}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	w.guard = newGuard("a:1", &o)
	return w
}

// run runs a command that takes the given time and ends with err.
func (w *watched) run(took time.Duration, err error) (entered bool) {
	probe, open := w.breaker.Enter()
	if open != nil {
		return false
	}
	start := time.Now()
	time.Sleep(took)
	w.breaker.Leave(context.Background(), probe, start, err == nil || isReply(err), err)
	return true
}

func (w *watched) mustRun(took time.Duration, err error) {
	w.t.Helper()
	if !w.run(took, err) {
		w.t.Error("the circuit is open")
	}
}

func (w *watched) mustNotRun() {
	w.t.Helper()
	if w.run(0, nil) {
		w.t.Error("the circuit is closed")
	}
}

func (w *watched) said(states ...string) {
	w.t.Helper()
	if !slices.Equal(w.states, states) {
		w.t.Errorf("reported %q, want %q", w.states, states)
	}
}

// down opens the circuit.
func (w *watched) down() {
	w.t.Helper()
	for range tolerated {
		w.mustRun(0, errRefused)
	}
	w.mustNotRun()
}

func TestGuardOpens(t *testing.T) {
	for name, test := range map[string]struct {
		took time.Duration
		err  error
		open bool
	}{
		"refused":                      {0, errRefused, true},
		"refused, wrapped":             {0, fmt.Errorf("dialing: %w", errRefused), true},
		"hangs":                        {DefaultReadTimeout, errTimeout, true},
		"hangs for half of a timeout":  {DefaultDialTimeout / 2, context.DeadlineExceeded, true},
		"had no time":                  {DefaultDialTimeout/2 - 1, context.DeadlineExceeded, false},
		"had no time on a connection":  {time.Millisecond, errTimeout, false},
		"the client has gone":          {time.Second, context.Canceled, false},
		"a broken connection":          {0, io.EOF, false},
		"a reply":                      {0, errReply, false},
		"no connection was free":       {0, goredis.ErrPoolTimeout, false},
		"a reply that took long":       {time.Second, errReply, false},
		"success":                      {0, nil, false},
		"dialing, without enough time": {time.Millisecond, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}, false},
		"dialing, with enough time":    {DefaultDialTimeout, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t)
				for range tolerated {
					w.mustRun(test.took, test.err)
				}
				if open := !w.run(0, nil); open != test.open {
					t.Errorf("open: %t, want %t", open, test.open)
				}
				if test.open {
					w.said("a:1 true")
				} else {
					w.said()
				}
			})
		})
	}
}

// If this process is too busy to end commands in time, that says nothing about the server.
func TestGuardIgnoresAStarvedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for range 2 * tolerated {
			ctx, cancel := context.WithTimeout(t.Context(), DefaultDialTimeout/2-1)
			_ = w.ProcessHook(func(context.Context, goredis.Cmder) error {
				time.Sleep(time.Second)
				return errTimeout
			})(ctx, newCommand(ctx, "evalsha", "", "k", nil))
			cancel()
		}
		w.said()
	})
}

func TestGuardForgetsFailuresBeforeASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for range 10 {
			for range tolerated - 1 {
				w.mustRun(0, errRefused)
			}
			w.mustRun(0, errReply)
		}
		w.said()
	})
}

// The pauses between probes double up to a maximum. One success closes the circuit.
func TestGuardProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		for range 2 { // the second outage starts with short pauses again
			w.down()
			for pause := minPause; pause < 4*maxPause; pause *= 2 {
				time.Sleep(min(pause, maxPause) - 1)
				w.mustNotRun()
				time.Sleep(time.Nanosecond)
				w.mustRun(0, errRefused)
				w.mustNotRun()
			}
			time.Sleep(maxPause)
			w.mustRun(0, nil)
			w.mustRun(0, nil)
		}
		w.said("a:1 true", "a:1 false", "a:1 true", "a:1 false")
	})
}

func TestGuardProbesOneAtATime(t *testing.T) {
	for name, end := range map[string]error{"that fails": errRefused, "that says nothing": context.Canceled, "that breaks": io.EOF} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t)
				w.down()
				time.Sleep(minPause)
				go w.run(time.Second, end)
				synctest.Wait()
				time.Sleep(500 * time.Millisecond)
				w.mustNotRun() // the probe is under way
				time.Sleep(500 * time.Millisecond)
				synctest.Wait()
				w.mustNotRun() // it has failed, so there is a pause again
				time.Sleep(maxPause)
				w.mustRun(0, nil)
				w.said("a:1 true", "a:1 false")
			})
		})
	}
}

// A command from before the outage succeeds during a probe. The next outage must still have probes.
func TestGuardLateSuccessDuringProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		go w.run(time.Second, nil) // a slow command that succeeds
		synctest.Wait()
		w.down()
		time.Sleep(900 * time.Millisecond)
		go w.run(500*time.Millisecond, nil) // the probe
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		w.mustRun(0, nil) // the slow command has succeeded
		time.Sleep(time.Second)
		synctest.Wait()
		w.down()
		time.Sleep(minPause)
		w.mustRun(0, nil)
		w.said("a:1 true", "a:1 false", "a:1 true", "a:1 false")
	})
}

// The commands that go-redis sends on a new connection belong to the command that needs the
// connection.
func TestGuardBypassesConnectionSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.down()
		time.Sleep(minPause)
		ctx := t.Context()
		succeed := func(context.Context, goredis.Cmder) error { return nil }
		single := w.ProcessHook(func(ctx context.Context, _ goredis.Cmder) error {
			for _, name := range []string{"hello", "auth", "select", "client"} {
				if err := w.ProcessHook(succeed)(ctx, goredis.NewStatusCmd(ctx, name)); err != nil {
					return err
				}
			}
			pipe := w.ProcessPipelineHook(func(context.Context, []goredis.Cmder) error { return nil })
			return pipe(ctx, []goredis.Cmder{goredis.NewStatusCmd(ctx, "AUTH", "x"), goredis.NewStatusCmd(ctx, "select", 1)})
		})
		if err := single(ctx, newCommand(ctx, "evalsha", "", "k", nil)); err != nil {
			t.Errorf("the probe: %v", err)
		}
		w.said("a:1 true", "a:1 false")
	})
}

// The errors after which a command may have run.
func TestGuardMarksUncertainCommands(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"success": {nil, false}, "a reply": {errReply, false}, "refused": {errRefused, false}, "the circuit is open": {breaker.ErrOpen, false},
		"no connection was free": {goredis.ErrPoolTimeout, false}, "a broken connection": {io.EOF, true},
		"a timeout": {errTimeout, true}, "the client has gone": {context.Canceled, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t)
			c := newCommand(ctx, "evalsha", "", "k", nil)
			_ = w.ProcessHook(func(context.Context, goredis.Cmder) error { return test.err })(ctx, c)
			if c.uncertain != test.want {
				t.Errorf("alone: %t, want %t", c.uncertain, test.want)
			}
			one, two := newCommand(ctx, "evalsha", "", "k", nil), newCommand(ctx, "evalsha", "", "k", nil)
			_ = w.ProcessPipelineHook(func(context.Context, []goredis.Cmder) error {
				one.SetErr(errReply)
				two.SetErr(test.err)
				return errors.Join(errReply, test.err)
			})(ctx, []goredis.Cmder{one, two})
			if one.uncertain || two.uncertain != test.want {
				t.Errorf("in a pipeline: %t, want %t", two.uncertain, test.want)
			}
		})
	}
}
