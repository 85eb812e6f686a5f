package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// Pipelines returns how many pipelines the store keeps.
func (s *Store) Pipelines() (n int) {
	s.pipelines.byNode.Range(func(any, any) bool { n++; return true })
	return n
}

// MasterAddr returns the address of a key's master in a Cluster, and has the client ask for the
// Cluster's state again.
func (s *Store) MasterAddr(ctx context.Context, key string) (string, error) {
	s.client.(*goredis.ClusterClient).ReloadState(ctx)
	node, err := s.master(ctx, key)
	if err != nil {
		return "", err
	}
	return node.Options().Addr, nil
}
