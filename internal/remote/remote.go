// Package remote is what stores on servers have in common: options, when to try again, whether a
// write was applied, and what an error says without a secret.
package remote

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"
)

// Ended returns the error of a context that has ended. It compares the deadline itself because on a
// busy machine the context's timer may fire late, after the connection has timed out.
func Ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// Pause waits before the next attempt, up to 50 ms. attempt is the number of the last one. There is
// no wait after the first: the connection may have been broken while it was idle. Its error is that
// of the context.
func Pause(ctx context.Context, attempt int) error {
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

// Milliseconds rounds up: a record must live for at least the given time.
func Milliseconds(d time.Duration) int64 {
	return int64(d/time.Millisecond) + int64(min(d%time.Millisecond, 1))
}

// NoReply is the text of a timeout.
const NoReply = "no reply in time"

// Text describes an error of a connection. It leaves out the text of the driver, which may quote
// keys, values or an address with a password.
func Text(err error) string {
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
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return NoReply
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, driver.ErrBadConn):
		return "connection lost"
	default:
		return Unknown(err)
	}
}

// Unknown is the text of an error of an unknown type.
func Unknown(err error) string { return fmt.Sprintf("connection failed (%T)", Innermost(err)) }

// Innermost returns the error at the end of the chain.
func Innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// Error is an error with a text that is safe to log.
type Error struct {
	text  string
	cause error
}

// Redact replaces an error by one with another text. It wraps the error of the context behind err,
// if there is one.
func Redact(ctx context.Context, err error, text string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return Error{text, context.Canceled}
	case errors.Is(err, context.DeadlineExceeded):
		return Error{text, context.DeadlineExceeded}
	default:
		return Error{text, ctx.Err()}
	}
}

func (e Error) Error() string { return e.text }

// Unwrap returns the error of a context, or nil.
func (e Error) Unwrap() error { return e.cause }
