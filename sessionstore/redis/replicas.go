package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// redirects is how many times a command is sent on to another node of the Cluster at most.
const redirects = 3

// replicated sends a command that writes, with WAIT after it on the same connection: it counts the replicas that have
// what this connection wrote. It goes to the key's master itself, as WAIT has no key by which a Cluster client could route it.
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
	wait := pipe.Do(ctx, "wait", s.opts.WaitReplicas, milliseconds(s.patience(ctx)))
	_, err := pipe.Exec(ctx)
	switch n, waitErr := wait.Int(); {
	case c.Err() != nil:
		return c.Err()
	case c.Val() != int64(1):
		return nil // nothing was written
	case waitErr != nil:
		return errors.Join(err, waitErr)
	case n < s.opts.WaitReplicas:
		return fmt.Errorf("%w: %d, and %d are asked for", errReplicas, n, s.opts.WaitReplicas)
	default:
		return nil
	}
}

var errReplicas = errors.New("too few replicas have the change")

// patience is how long WAIT may take, so that its reply still comes in time.
func (s *Store) patience(ctx context.Context) time.Duration {
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

// node returns the client of the node that a master has named.
func (s *Store) node(ctx context.Context, addr string) (*goredis.Client, error) {
	cluster, ok := s.client.(*goredis.ClusterClient)
	if !ok {
		return nil, errors.New("the server is a node of a Cluster: the configuration must say so")
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
		return nil, errors.Join(errors.New("the Cluster has named a node that it does not list"), err)
	}
	return found, nil
}
