package mongodb

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// attempts is the maximum number of attempts when the server is unreachable.
	attempts = 3

	// electionAttempts is the maximum number of attempts while there is no primary, for example
	// during an election. The context usually ends before.
	electionAttempts = 100
)

// run runs a command. It reports as lost whether a failed attempt may have been applied.
func (s *Store) run(ctx context.Context, command func(context.Context, *mongo.Collection) error) (lost bool, err error) {
	var noRecord error
	lost, err = remote.Repeat(ctx, unavailable, func() (limit int, lost bool, err error) {
		fault, err := s.attempt(ctx, command)
		if errors.Is(err, sessionstore.ErrRecord) {
			noRecord, err = notARecord(err), nil // the command itself succeeded
		}
		return fault.limit(), fault == lostReply, err
	})
	return lost, cmp.Or(err, noRecord)
}

// attempt runs a command once. Its error is safe to log.
func (s *Store) attempt(ctx context.Context, command func(context.Context, *mongo.Collection) error) (fault, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return refused, ctx.Err()
	}
	probe, err := s.breaker.Enter()
	if err != nil {
		return refused, err
	}
	start := time.Now()
	own, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	collection, err := s.connect(own)
	if err == nil {
		err = command(own, collection)
	}
	if err == nil || errors.Is(err, sessionstore.ErrRecord) {
		s.breaker.Settle(probe, breaker.Answers, nil)
		s.indexOnce()
		return refused, err
	}
	fault, verdict := s.classify(own, err, start)
	err = remote.Redact(own, err, s.text(err))
	s.breaker.Settle(probe, verdict, err)
	return fault, err
}

// fault says what an error means for the command.
type fault int

const (
	// refused: the command was not applied, and another attempt would fail too.
	refused fault = iota
	// unsent: the command was not applied, and another attempt may succeed.
	unsent
	// noPrimary: the command was not applied, and may succeed after the election.
	noPrimary
	// lostReply: the command may have been applied.
	lostReply
)

func (f fault) limit() int {
	switch f {
	case refused:
		return 0
	case noPrimary:
		return electionAttempts
	default:
		return attempts
	}
}
