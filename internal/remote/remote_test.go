package remote

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTextQuotesNoDriver(t *testing.T) {
	quoting := func(err error) error { return fmt.Errorf("GET secret: %w", err) }
	for want, err := range map[string]error{
		"context canceled":      context.Canceled,
		"server name not found": &net.DNSError{Err: "no such host", Name: "secret"},
		"connection refused":    &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		NoReply:                 &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded},
		"connection lost":       io.ErrUnexpectedEOF,
		"connection failed (*errors.errorString)": errors.New("password secret"),
	} {
		if got := Text(quoting(err)); got != want {
			t.Errorf("%T: got %q, want %q", err, got, want)
		}
	}
	for _, err := range []error{context.DeadlineExceeded, os.ErrDeadlineExceeded} {
		if got := Text(quoting(err)); got != NoReply {
			t.Errorf("%v: got %q", err, got)
		}
	}
	for _, err := range []error{io.EOF, net.ErrClosed, driver.ErrBadConn} {
		if got := Text(quoting(err)); got != "connection lost" {
			t.Errorf("%v: got %q", err, got)
		}
	}
}

func TestRedactKeepsTheEndOfAContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx       context.Context
		err, want error
	}{
		"canceled":        {t.Context(), fmt.Errorf("secret: %w", context.Canceled), context.Canceled},
		"timed out":       {t.Context(), fmt.Errorf("secret: %w", context.DeadlineExceeded), context.DeadlineExceeded},
		"the context's":   {ended, io.EOF, context.Canceled},
		"of no context's": {t.Context(), io.EOF, nil},
	} {
		err := Redact(test.ctx, test.err, "the text")
		if err.Error() != "the text" || errors.Unwrap(err) != test.want {
			t.Errorf("%s: got %v, which wraps %v", name, err, errors.Unwrap(err))
		}
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for attempt := 1; attempt <= 100; attempt++ {
			start := time.Now()
			if err := Pause(t.Context(), attempt); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); attempt == 1 && took > 0 || took >= 50*time.Millisecond {
				t.Errorf("the pause after attempt %d took %v", attempt, took)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Pause(ended, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := Ended(ctx); err != nil {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		if err := Ended(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if err := Ended(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
