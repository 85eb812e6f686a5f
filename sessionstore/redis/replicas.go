package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/remote"
)

// redirects is the maximum number of redirections to another Cluster node for one command.
const redirects = 3

// replicated sends a write followed by WAIT on the same connection, since WAIT counts the replicas
// that have the writes of its own connection. It addresses the key's master itself: WAIT has no key
// by which a Cluster client could route it.
func (s *Store) replicated(ctx context.Context, key string, c *command) error {
	node, err := s.master(ctx, key)
	if err != nil {
		return err
	}
	asking := false
	for redirected := 0; ; redirected++ {
		err = s.writeAndWait(ctx, node, asking, c)
		addr, moved := goredis.IsMovedError(err)
		if !moved {
			addr, asking = goredis.IsAskError(err)
		}
		if !moved && !asking || redirected == redirects {
			return err
		}
		if node, err = s.node(ctx, addr); err != nil {
			return err
		}
	}
}

func (s *Store) writeAndWait(ctx context.Context, node *goredis.Client, asking bool, c *command) error {
	pipe := node.Pipeline()
	if asking {
		pipe.Do(ctx, "asking")
	}
	if err := pipe.Process(ctx, c); err != nil {
		return err
	}
	wait := pipe.Do(ctx, "wait", s.opts.WaitReplicas, remote.Milliseconds(s.waitTimeout(ctx)))
	_, err := pipe.Exec(ctx)
	switch n, waitErr := wait.Int(); {
	case c.Err() != nil:
		return c.Err()
	case c.Val() != int64(1):
		return nil // nothing was written
	case waitErr != nil:
		return errors.Join(err, waitErr)
	case n < s.opts.WaitReplicas:
		return fmt.Errorf("%w: %d of %d", errReplicas, n, s.opts.WaitReplicas)
	default:
		return nil
	}
}

var errReplicas = errors.New("too few replicas have the change")

// waitTimeout returns the timeout of WAIT, short enough for its reply to arrive in time.
func (s *Store) waitTimeout(ctx context.Context) time.Duration {
	left := s.opts.ReadTimeout
	if end, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(end))
	}
	return max(left*3/4, time.Millisecond)
}

// master returns the client of the key's master.
func (s *Store) master(ctx context.Context, key string) (*goredis.Client, error) {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.conn().(*goredis.Client), nil
}

// node returns the client of a node that a redirection named.
func (s *Store) node(ctx context.Context, addr string) (*goredis.Client, error) {
	cluster, ok := s.client.(*goredis.ClusterClient)
	if !ok {
		return nil, errors.New("the server is a Cluster node: set the option cluster")
	}
	cluster.ReloadState(ctx)
	var mu sync.Mutex
	var found *goredis.Client
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		if c.Options().Addr == addr {
			found = c
		}
		return nil
	})
	if found == nil {
		return nil, errors.Join(errors.New("the Cluster redirected to a node that is not in its list of masters"), err)
	}
	return found, nil
}
