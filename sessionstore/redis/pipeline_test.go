package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// The masters of a Cluster get new addresses again and again, as pods do. The pipelines of the old
// ones are not kept.
func TestPipelinesOfAddressesThatAreGone(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Options{NodeTimeout: 4 * time.Second})
	s := open(t, redis.Options{Addrs: cluster.Addrs(), Pipelining: true})
	const changes = 4
	for range changes {
		_, addrs := announced(t, cluster)
		eventually(t, 30*time.Second, func() error {
			for i := range 30 {
				key := fmt.Sprint("k", i)
				addr, err := s.MasterAddr(t.Context(), key)
				if err != nil {
					return err
				}
				if !slices.Contains(addrs, addr) {
					return fmt.Errorf("the client still uses %s", addr)
				}
				s.read(key)
			}
			return nil
		})
	}
	// Reads may have used the addresses before the last ones when those were known already.
	if n := s.Pipelines(); n < 3 || n > 6 {
		t.Errorf("%d pipelines for three masters after %d changes", n, changes)
	}
}
