package mongodb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The server's codes that say more than that it has refused.
const (
	codeNotPrimary       = 10107
	codeNotPrimaryNoRead = 13435
)

// undecided are codes of commands that were interrupted: by an election, a shutdown or a time limit of the server's. They may have been
// executed.
var undecided = []int{6, 7, 50, 64, 89, 91, 189, 262, 9001, 11600, 11602, 13436}

// judge says what an error means for the command, and for the server.
//
// That there was no answer in time says nothing about the server if there was little time, if only because this process is starved.
func (s *Store) judge(ctx context.Context, err error, start time.Time) (fault, breaker.Verdict) {
	waited := time.Since(start) >= s.slow()
	if end, ok := ctx.Deadline(); ok && end.Sub(start) < s.slow() {
		waited = false
	}
	unreachable := func(always bool) breaker.Verdict {
		if errors.Is(err, context.Canceled) || !always && !waited {
			return breaker.Nothing
		}
		return breaker.Unreachable
	}
	var selection topology.ServerSelectionError
	var connection topology.ConnectionError
	var lookup lookupError
	code, answered := answer(err)
	switch {
	case errors.As(err, &selection):
		return unsent, unreachable(false)
	case errors.As(err, &lookup):
		return unsent, unreachable(!mongo.IsTimeout(err))
	case answered && errors.As(err, &connection):
		return refused, unreachable(true) // as a wrong password is
	case answered && (code == codeNotPrimary || code == codeNotPrimaryNoRead):
		return passing, breaker.Answers
	case answered && slices.Contains(undecided, code):
		return lostAnswer, breaker.Answers
	case answered:
		return refused, breaker.Answers
	case breaker.IsDial(err):
		return unsent, unreachable(!mongo.IsTimeout(err))
	case mongo.IsTimeout(err):
		return lostAnswer, unreachable(false)
	default:
		return lostAnswer, breaker.Nothing
	}
}

// answer returns the code of an error that the server has answered.
func answer(err error) (code int, answered bool) {
	var command mongo.CommandError
	var write mongo.WriteException
	switch {
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		return write.WriteErrors[0].Code, true
	case errors.As(err, &write) && write.WriteConcernError != nil:
		return undecided[0], true // it is written, but not as safely as was asked
	case errors.As(err, &command) && !command.HasErrorLabel("NetworkError") && (command.Code != 0 || len(command.Raw) > 0):
		return int(command.Code), true
	}
	return 0, false
}

// text says what is wrong. What the server says of it is not shown: it quotes the command, with keys and values.
func (s *Store) text(err error) string {
	var selection topology.ServerSelectionError
	var command mongo.CommandError
	var write mongo.WriteException
	var uri uriError
	switch code, answered := answer(err); {
	case errors.As(err, &uri):
		return uri.Error()
	case errors.As(err, &selection):
		for _, server := range selection.Desc.Servers {
			if server.LastError != nil {
				return fmt.Sprintf("no server can be written to: %s: %s", server.Addr, plain(server.LastError))
			}
		}
		return "no server can be written to"
	case errors.As(err, &write) && len(write.WriteErrors) == 0 && write.WriteConcernError != nil:
		return fmt.Sprintf("the write concern is not met (%d)", write.WriteConcernError.Code)
	case answered && errors.As(err, &command) && command.Name != "":
		return fmt.Sprintf("the server refuses: %s (%d)", command.Name, code)
	case answered:
		return fmt.Sprintf("the server refuses: error %d", code)
	}
	return plain(err)
}

// plain says what an error is that is no answer of the server's.
func plain(err error) string {
	var number syscall.Errno
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.As(err, &dns):
		return "the server's name is not found"
	case errors.As(err, &number):
		return number.Error()
	case mongo.IsTimeout(err), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection has broken"
	default:
		return fmt.Sprintf("no connection that works (%T)", innermost(err))
	}
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// shown is an error with a text of our own.
type shown struct {
	text  string
	cause error
}

func (e shown) Error() string { return e.text }

func (e shown) Unwrap() error { return e.cause }

// cause is the error of the context, if that is why.
func cause(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	default:
		return ctx.Err()
	}
}

// unavailable makes the error of a [sessionstore.Store].
func unavailable(err error) error {
	return fmt.Errorf("%w: mongodb: %w", sessionstore.ErrUnavailable, err)
}

// notARecord is the error for what is there and is left alone. The server has answered.
func notARecord(err error) error { return fmt.Errorf("mongodb: %w", err) }
