package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// command is a call of a script.
type command struct {
	*goredis.Cmd

	// uncertain says that an attempt whose reply was lost may have run the command. The guards set
	// it.
	uncertain bool
}

// keyPosition is the index of the key in a command: EVALSHA sha 1 key.
const keyPosition = 3

func newCommand(ctx context.Context, name, body, key string, args []any) *command {
	all := make([]any, 0, keyPosition+1+len(args))
	all = append(all, name, body, 1, key)
	c := &command{Cmd: goredis.NewCmd(ctx, append(all, args...)...)}
	c.SetFirstKeyPos(keyPosition)
	return c
}

// attempts is the maximum number of attempts when connections break or the server is not ready. The
// guard ends the attempts earlier while the server is unreachable.
const attempts = 6

// run runs a script on a record. The reply is nil if there is no record.
//
// An attempt whose reply was lost may have been applied. The next attempt recognizes its own write.
// But if that was overwritten meanwhile, the outcome is unknown: [remote.ErrLost].
func (s *Store) run(ctx context.Context, script *script, key string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	name, body := "evalsha", script.sha
	uncertain, replicas := false, 0
	for attempt := 1; ; attempt++ {
		c := newCommand(ctx, name, body, key, args)
		reply, err := s.send(ctx, script, key, c, attempt)
		if err != nil && remote.Ended(ctx) != nil {
			return nil, unavailable(remote.Ended(ctx)) // another goroutine may still use c
		}
		// A Cluster's client tries again by itself, so c may have run even if there is a reply.
		uncertain = uncertain || c.uncertain
		switch {
		case err == nil:
			if script.writes && uncertain && reply != int64(1) {
				return nil, unavailable(remote.ErrLost)
			}
			return reply, nil
		case strings.HasPrefix(err.Error(), "NOSCRIPT ") && name == "evalsha":
			// The server has dropped its scripts, or a failover replaced it.
			name, body = "eval", script.text
			attempt--
			continue
		case goredis.IsReadOnlyError(err) && s.mayReachMaster(&replicas):
			attempt--
			continue
		case attempt == attempts || !retryable(err):
			s.reloadCluster(ctx, err)
			return nil, unavailable(err)
		}
		s.reloadCluster(ctx, err)
		if err := remote.Pause(ctx, attempt); err != nil {
			return nil, unavailable(err)
		}
	}
}

// mayReachMaster reports whether another connection may lead to a master after one led to a
// replica. go-redis has closed that connection, but the other connections of the pool may be just
// as old. If all of them lead to replicas, no further attempt is made for a second.
func (s *Store) mayReachMaster(replicas *int) bool {
	if now() < s.replicasUntil.Load() {
		return false
	}
	if *replicas++; *replicas <= s.opts.PoolSize {
		return true
	}
	s.replicasUntil.Store(now() + int64(time.Second))
	return false
}

// send sends a command once, following redirections in a Cluster, and returns the reply.
func (s *Store) send(ctx context.Context, script *script, key string, c *command, attempt int) (any, error) {
	var err error
	cluster, clustered := s.client.(*goredis.ClusterClient)
	switch {
	case script.writes && s.opts.WaitReplicas > 0:
		err = s.replicated(ctx, key, c)
	// the first attempt may have failed because the request that led the round trip had less time
	case !s.opts.Pipelining || attempt > 1:
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
	case err == goredis.Nil: //nolint:errorlint // an unknown master is an error that wraps Nil
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return c.Val(), nil
	}
}

// retryable reports whether the same command may soon succeed.
func retryable(err error) bool {
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

// redirected reports whether a Cluster node said that the record is on another node.
func redirected(err error) bool {
	if err == nil {
		return false
	}
	_, moved := goredis.IsMovedError(err)
	_, asked := goredis.IsAskError(err)
	return moved || asked
}

// reloadCluster makes the client fetch the Cluster's state in the background after a node was
// unreachable: a replica may have taken over.
func (s *Store) reloadCluster(ctx context.Context, err error) {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok && !isReply(err) {
		cluster.ReloadState(ctx)
	}
}

// unavailable wraps an error for [sessionstore.Store]. Errors of go-redis contain neither keys nor
// values.
func unavailable(err error) error {
	return fmt.Errorf("%w: redis: %w", sessionstore.ErrUnavailable, err)
}
