package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The error codes of a server that is not the primary.
const (
	codeNotPrimary       = 10107
	codeNotPrimaryNoRead = 13435
)

// undecided are the codes of commands that were interrupted by an election, a shutdown or a time
// limit of the server. They may have been applied.
var undecided = []int{6, 7, 50, 64, 89, 91, 189, 262, 9001, 11600, 11602, 13436}

// classify says what an error means for the command and for the breaker.
//
// A timeout says nothing about the server if there was little time, perhaps only because this
// process was short of CPU.
func (s *Store) classify(ctx context.Context, err error, start time.Time) (fault, breaker.Verdict) {
	waited := s.breaker.Waited(ctx, start)
	unreachable := func(always bool) breaker.Verdict {
		if errors.Is(err, context.Canceled) || !always && !waited {
			return breaker.Nothing
		}
		return breaker.Unreachable
	}
	var selection topology.ServerSelectionError
	var connection topology.ConnectionError
	var lookup lookupError
	code, answered := errorCode(err)
	switch {
	case errors.As(err, &selection):
		return unsent, unreachable(false)
	case errors.As(err, &lookup):
		return unsent, unreachable(!mongo.IsTimeout(err))
	case answered && errors.As(err, &connection):
		return refused, unreachable(true) // for example a wrong password
	case answered && (code == codeNotPrimary || code == codeNotPrimaryNoRead):
		return noPrimary, breaker.Answers
	case answered && slices.Contains(undecided, code):
		return lostReply, breaker.Answers
	case answered:
		return refused, breaker.Answers
	case breaker.IsDial(err):
		return unsent, unreachable(!mongo.IsTimeout(err))
	case mongo.IsTimeout(err):
		return lostReply, unreachable(false)
	default:
		return lostReply, breaker.Nothing
	}
}

// errorCode returns the code of an error that the server replied.
func errorCode(err error) (code int, answered bool) {
	var command mongo.CommandError
	var write mongo.WriteException
	switch {
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		return write.WriteErrors[0].Code, true
	case errors.As(err, &write) && write.WriteConcernError != nil:
		return undecided[0], true // written, but the write concern is not met
	case errors.As(err, &command) && !command.HasErrorLabel("NetworkError") && (command.Code != 0 || len(command.Raw) > 0):
		return int(command.Code), true
	}
	return 0, false
}

// text describes an error. It leaves out the server's message, which quotes the command with keys
// and values.
func (s *Store) text(err error) string {
	var selection topology.ServerSelectionError
	var command mongo.CommandError
	var write mongo.WriteException
	var uri uriError
	switch code, answered := errorCode(err); {
	case errors.As(err, &uri):
		return uri.Error()
	case errors.As(err, &selection):
		for _, server := range selection.Desc.Servers {
			if server.LastError != nil {
				return fmt.Sprintf("no writable server: %s: %s", server.Addr, plain(server.LastError))
			}
		}
		return "no writable server"
	case errors.As(err, &write) && len(write.WriteErrors) == 0 && write.WriteConcernError != nil:
		return fmt.Sprintf("write concern not met (%d)", write.WriteConcernError.Code)
	case answered && errors.As(err, &command) && command.Name != "":
		return fmt.Sprintf("the server refused: %s (%d)", command.Name, code)
	case answered:
		return fmt.Sprintf("the server refused: error %d", code)
	}
	return plain(err)
}

// plain describes an error that is not a reply.
func plain(err error) string {
	if mongo.IsTimeout(err) {
		return remote.NoReply
	}
	return remote.Text(err)
}

// unavailable wraps an error for [sessionstore.Store].
func unavailable(err error) error {
	return fmt.Errorf("%w: mongodb: %w", sessionstore.ErrUnavailable, err)
}

// notARecord wraps an error about a document that is not a record. The server is reachable.
func notARecord(err error) error { return fmt.Errorf("mongodb: %w", err) }
