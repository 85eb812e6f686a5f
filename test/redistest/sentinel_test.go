package redistest

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestSentinel(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := StartSentinel(t, Options{Password: "secret", SentinelPassword: "watch"})
	t.Logf("started in %v", time.Since(begin))
	first := s.Master()
	if first != s.Servers[0] || len(s.Addrs()) != 3 {
		t.Errorf("master %v, Sentinels %v", first.Addr(), s.Addrs())
	}
	c := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: s.MasterName, SentinelAddrs: s.Addrs(), Password: "secret", SentinelPassword: "watch",
	})
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	must(t, first, "WAIT", 2, 5000)

	begin = time.Now()
	second := s.Failover()
	t.Logf("failover in %v", time.Since(begin))
	if second == first || s.Master() != second {
		t.Errorf("master %v after %v", second.Addr(), first.Addr())
	}
	begin = time.Now()
	s.WaitOK()
	t.Logf("healthy in %v", time.Since(begin))

	second.Kill()
	begin = time.Now()
	third := s.WaitMaster(second)
	t.Logf("promotion after a kill in %v", time.Since(begin))
	if got := must(t, third, "GET", "k"); got != "v" {
		t.Error(got)
	}
	second.Restart()
	begin = time.Now()
	s.WaitOK()
	t.Logf("healthy in %v", time.Since(begin))
	if err := role(second, "slave"); err != nil {
		t.Error(err)
	}

	third.Pause()
	if fourth := s.WaitMaster(third); fourth == third || !slices.Contains(s.Servers, fourth) {
		t.Error(fourth.Addr())
	}
	third.Resume()
	s.WaitOK()
	s.Sentinels[0].Kill()
	s.Failover()
}

func TestSentinelWithTLS(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, Options{ClientCert: true})
	c := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: s.MasterName, SentinelAddrs: s.Addrs(), TLSConfig: s.TLS.Config(),
	})
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
}
