package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// command is a script with its arguments, on its way to the server.
type command struct {
	*goredis.Cmd

	// uncertain says that it may have been executed by an attempt whose reply was lost. The guards set it.
	uncertain bool
}

// keyPosition is where in a command its key stands: EVALSHA sha 1 key.
const keyPosition = 3

func newCommand(ctx context.Context, name, body, key string, args []any) *command {
	all := make([]any, 0, keyPosition+1+len(args))
	all = append(all, name, body, 1, key)
	c := &command{Cmd: goredis.NewCmd(ctx, append(all, args...)...)}
	c.SetFirstKeyPos(keyPosition)
	return c
}

// attempts is how often a command is sent at most, when connections broke or the server was not ready. One that is out of
// reach is not asked as often: its guard sees to that.
const attempts = 6

var errLost = errors.New("a reply was lost, and the record has been changed since by another or by this very write")

// run runs a script on a record. The reply is nil if the script says that there is none.
//
// An attempt whose reply was lost may have been executed. The script that comes next knows its own write; but when
// that has been written over meanwhile, nobody can know any more. This is then an error and no conflict, or the
// same change would be made again.
func (s *Store) run(ctx context.Context, script *script, key string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	name, body := "evalsha", script.sha
	uncertain, replicas := false, 0
	for attempt := 1; ; attempt++ {
		c := newCommand(ctx, name, body, key, args)
		reply, err := s.send(ctx, script, key, c, attempt)
		switch {
		case err == nil:
			if script.writes && (uncertain || c.uncertain) && reply != int64(1) {
				return nil, unavailable(errLost)
			}
			return reply, nil
		case ended(ctx) != nil:
			return nil, unavailable(ended(ctx)) // c may still be on its way: it must not be looked at
		case strings.HasPrefix(err.Error(), "NOSCRIPT ") && name == "evalsha":
			// The server has dropped its scripts, or is another one since a failover.
			name, body = "eval", script.text
			attempt--
			continue
		case goredis.IsReadOnlyError(err) && s.mayLeadElsewhere(&replicas):
			attempt--
			continue
		case attempt == attempts || !passing(err):
			s.lookAround(ctx, err)
			return nil, unavailable(err)
		}
		uncertain = uncertain || c.uncertain
		s.lookAround(ctx, err)
		if err := pause(ctx, attempt); err != nil {
			return nil, unavailable(err)
		}
	}
}

// mayLeadElsewhere reports whether another connection may lead to a master, when one leads to what has become a replica. go-redis has
// closed that one; as many others may be as old. If all lead to a replica, this is not tried again for a second.
func (s *Store) mayLeadElsewhere(replicas *int) bool {
	if now() < s.replicasUntil.Load() {
		return false
	}
	if *replicas++; *replicas <= s.opts.PoolSize {
		return true
	}
	s.replicasUntil.Store(now() + int64(time.Second))
	return false
}

// send sends a command once and returns the reply. In a Cluster that may mean to several servers, until it is the right one.
func (s *Store) send(ctx context.Context, script *script, key string, c *command, attempt int) (any, error) {
	var err error
	cluster, clustered := s.client.(*goredis.ClusterClient)
	switch {
	case script.writes && s.opts.WaitReplicas > 0:
		err = s.replicated(ctx, key, c)
	case !s.opts.Pipelining || attempt > 1: // the first may have failed with one that had less time, and led the round trip
		err = s.conn().Process(ctx, c)
	default:
		var master *goredis.Client
		if master, err = s.master(ctx, key); err == nil {
			err = s.pipelines.to(master).do(ctx, c)
		}
		if clustered && ctx.Err() == nil && redirected(err) {
			err = cluster.Process(ctx, c)
		}
	}
	switch {
	case err == goredis.Nil: //nolint:errorlint // one that wraps it is no reply: Sentinels that do not know the master make one
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return c.Val(), nil
	}
}

// passing reports whether the same command may soon succeed.
func passing(err error) bool {
	if !isReply(err) {
		return !errors.Is(err, breaker.ErrOpen) && !errors.Is(err, errReplicas)
	}
	for _, is := range []func(error) bool{
		goredis.IsReadOnlyError, goredis.IsLoadingError, goredis.IsMasterDownError,
		goredis.IsClusterDownError, goredis.IsTryAgainError, goredis.IsMaxClientsError,
	} {
		if is(err) {
			return true
		}
	}
	return redirected(err)
}

// redirected reports whether a server of a Cluster says that the record is at another.
func redirected(err error) bool {
	if err == nil {
		return false
	}
	_, moved := goredis.IsMovedError(err)
	_, asked := goredis.IsAskError(err)
	return moved || asked
}

// lookAround has a Cluster asked again who is its master, in the background, when one was out of reach: the others may have
// replaced it.
func (s *Store) lookAround(ctx context.Context, err error) {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok && !isReply(err) {
		cluster.ReloadState(ctx)
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
	timer := time.NewTimer(time.Duration(attempt) * 10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unavailable makes the error of a [sessionstore.Store]. What go-redis says names neither keys nor values.
func unavailable(err error) error {
	return fmt.Errorf("%w: redis: %w", sessionstore.ErrUnavailable, err)
}
