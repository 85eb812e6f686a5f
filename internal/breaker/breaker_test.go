package breaker

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var refused = &net.OpError{Op: "dial", Err: errors.New("refused")}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []error
		b := New(time.Second, "a server", func(_ string, err error) { said = append(said, err) })
		try := func(answered bool, err error) error {
			probe, open := b.Enter()
			if open == nil {
				b.Leave(t.Context(), probe, time.Now(), answered, err)
			}
			return open
		}
		for range tolerated - 1 {
			if try(false, refused) != nil {
				t.Fatal("open too early")
			}
		}
		_ = try(true, nil) // a reply resets the count of failures
		for range tolerated {
			if try(false, refused) != nil {
				t.Fatal("open too early")
			}
		}
		if !slices.Equal(said, []error{refused}) {
			t.Errorf("said %v", said)
		}
		// The pauses between probes grow.
		for _, ms := range []int{25, 50, 100, 200, 250, 250} {
			pause := time.Duration(ms) * time.Millisecond
			time.Sleep(pause - time.Millisecond)
			if !errors.Is(try(true, nil), ErrOpen) {
				t.Fatalf("closed within %s", pause)
			}
			time.Sleep(time.Millisecond)
			if err := try(false, refused); err != nil {
				t.Fatalf("no probe after %s", pause)
			}
		}
		// Only one probe at a time.
		time.Sleep(maxPause)
		probe, err := b.Enter()
		if !probe || err != nil || !errors.Is(try(true, nil), ErrOpen) {
			t.Fatal("more than one probe")
		}
		b.Leave(t.Context(), probe, time.Now(), true, errors.New("an answer"))
		if try(true, nil) != nil || !slices.Equal(said, []error{refused, nil}) {
			t.Errorf("still open; reported %v", said)
		}
	})
}

// Failures that say nothing about the server.
func TestErrorsThatDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(time.Second, "a server", nil)
		for range 10 {
			b.Leave(t.Context(), false, time.Now(), false, io.EOF)
			start := time.Now()
			time.Sleep(time.Second - 1)
			b.Leave(t.Context(), false, start, false, context.DeadlineExceeded)
			// The client has gone while its command waited for a connection.
			b.Leave(t.Context(), false, start, false, &net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled})
		}
		if _, err := b.Enter(); err != nil {
			t.Error("open")
		}
		for range tolerated {
			start := time.Now()
			time.Sleep(time.Second)
			b.Leave(t.Context(), false, start, false, context.DeadlineExceeded)
		}
		if _, err := b.Enter(); !errors.Is(err, ErrOpen) {
			t.Error("closed")
		}
	})
}

// The process is so busy that it notices even a short timeout late.
func TestStarvedProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(time.Second, "a server", nil)
		for range 10 {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			time.Sleep(2 * time.Second)
			b.Leave(ctx, false, start, false, context.DeadlineExceeded)
			cancel()
		}
		if _, err := b.Enter(); err != nil {
			t.Error("open")
		}
	})
}

// Another command, sent before the circuit opened, succeeds before the probe. The probe must still
// be released, or the next outage would have no probes.
func TestProbeOvertakenByASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(time.Second, "a server", nil)
		open := func() {
			for range tolerated {
				b.Leave(t.Context(), false, time.Now(), false, refused)
			}
			time.Sleep(maxPause)
		}
		open()
		probe, err := b.Enter()
		if !probe || err != nil {
			t.Fatal("no probe")
		}
		b.Leave(t.Context(), false, time.Now(), true, nil)
		b.Leave(t.Context(), probe, time.Now(), true, nil)
		open()
		if probe, err := b.Enter(); !probe || err != nil {
			t.Error("no probes after that")
		}
	})
}
