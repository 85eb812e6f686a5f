package mongodb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// attempts is how often a command is sent at most, when the server was out of reach.
	attempts = 3

	// passes is the same while there is no primary, as when one is being elected. The context usually ends before.
	passes = 100
)

// run runs a command. Lost reports whether an attempt that failed may have been executed.
func (s *Store) run(ctx context.Context, command func(context.Context, *mongo.Collection) error) (lost bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, unavailable(err)
	}
	var last error
	for attempt := 1; ; attempt++ {
		fault, err := s.attempt(ctx, command)
		switch {
		case err == nil:
			return lost, nil
		case errors.Is(err, sessionstore.ErrRecord):
			return lost, notARecord(err)
		case last != nil && errors.Is(err, breaker.ErrOpen):
			err = last // it says why
		}
		last = err
		lost = lost || fault == lostAnswer
		if end := ended(ctx); end != nil {
			return lost, unavailable(end)
		}
		if attempt >= fault.limit() {
			return lost, unavailable(err)
		}
		if err := pause(ctx, attempt); err != nil {
			return lost, unavailable(err)
		}
	}
}

// attempt runs a command once. The error may be shown.
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
	fault, verdict := s.judge(own, err, start)
	err = shown{s.text(err), cause(own, err)}
	s.breaker.Settle(probe, verdict, err)
	return fault, err
}

// slow is when a server that has not answered yet counts as hanging. A request that had less time says nothing about it.
func (s *Store) slow() time.Duration { return min(s.opts.DialTimeout, s.opts.Timeout) / 2 }

// fault says what an error means for the command.
type fault int

const (
	// refused commands have done nothing, and would not another time.
	refused fault = iota
	// unsent commands have done nothing, and may another time.
	unsent
	// passing is what hinders a command, which has done nothing, for as long as an election takes.
	passing
	// lostAnswer stands for commands that may have been executed.
	lostAnswer
)

func (f fault) limit() int {
	switch f {
	case refused:
		return 0
	case passing:
		return passes
	default:
		return attempts
	}
}

// ended returns the error of a context that has ended. On a busy machine its own timer may be late, when connections have
// already gone by its deadline.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return nil
}

// pause waits before the next attempt, if it is not the first: a connection that had been broken for long is no reason to wait.
func pause(ctx context.Context, attempt int) error {
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
