package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func clusterClient(t *testing.T, c *Cluster, opts redis.ClusterOptions) *redis.ClusterClient {
	opts.Addrs = c.Addrs()
	client := redis.NewClusterClient(&opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestCluster(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := StartCluster(t, Options{AOF: true, Password: "secret"})
	t.Logf("started in %v", time.Since(begin))
	for i, node := range c.Nodes {
		wanted := "master"
		if i >= 3 {
			wanted = "slave"
		}
		if err := role(node, wanted); err != nil {
			t.Error(err)
		}
	}
	cc := clusterClient(t, c, redis.ClusterOptions{Password: "secret"})
	for i := range 100 {
		if err := cc.Set(t.Context(), strconv.Itoa(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.SlotOf("foo"); got != 12182 {
		t.Errorf("slot of foo: %d", got)
	}
	master := c.MasterOf("foo")
	replica := c.ReplicaOf(master)
	must(t, master, "SET", "foo", "bar")
	must(t, master, "WAIT", 1, 5000)

	master.Kill()
	begin = time.Now()
	c.WaitOK()
	t.Logf("promotion after a kill in %v", time.Since(begin))
	if c.MasterOf("foo") != replica {
		t.Error("the replica was not promoted")
	}
	if got := must(t, replica, "GET", "foo"); got != "bar" {
		t.Error(got)
	}
	master.Restart()
	begin = time.Now()
	c.WaitOK()
	t.Logf("healthy after the restart in %v", time.Since(begin))
	if c.ReplicaOf(replica) != master {
		t.Error("the old master is not the replica")
	}
	if err := role(master, "slave"); err != nil {
		t.Error(err)
	}
	for i := range 100 {
		if got, err := cc.Get(t.Context(), strconv.Itoa(i)).Result(); got != strconv.Itoa(i) {
			t.Error(i, got, err)
		}
	}
}

func TestMigrateSlot(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, Options{})
	cc := clusterClient(t, c, redis.ClusterOptions{})
	const keys = 250
	for i := range keys {
		if err := cc.Set(t.Context(), fmt.Sprintf("{a}%d", i), i, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slot := c.SlotOf("{a}")
	from := c.MasterOf("{a}")
	to := c.Nodes[0]
	if to == from {
		to = c.Nodes[1]
	}
	begin := time.Now()
	c.MigrateSlot(slot, to)
	t.Logf("moved in %v", time.Since(begin))
	if c.MasterOf("{a}") != to {
		t.Error("the slot was not moved")
	}
	if _, err := from.Do("GET", "{a}1"); err == nil || err.Error() != fmt.Sprintf("MOVED %d %s", slot, to.Addr()) {
		t.Error(err)
	}
	for i := range keys {
		if got := must(t, to, "TTL", fmt.Sprintf("{a}%d", i)); got == "-1" || got == "-2" {
			t.Fatalf("key %d has TTL %s", i, got)
		}
	}

	back := c.BeginMigration(slot, from)
	must(t, to, "GET", "{a}1")
	back.MoveKeys()
	if _, err := to.Do("GET", "{a}1"); err == nil || !strings.HasPrefix(err.Error(), "ASK ") {
		t.Error(err)
	}
	if got, err := cc.Get(t.Context(), "{a}1").Result(); got != "1" {
		t.Error(got, err)
	}
	back.Finish()
	must(t, from, "GET", "{a}1")
	c.WaitOK()
}

func TestClusterWithTLS(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, Options{ClientCert: true})
	cc := clusterClient(t, c, redis.ClusterOptions{TLSConfig: c.TLS.Config()})
	if err := cc.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	master := c.MasterOf("k")
	master.Pause()
	c.WaitOK()
	if c.MasterOf("k") == master {
		t.Error("the paused master serves")
	}
	master.Resume()
	c.WaitOK()
	c.MigrateSlot(c.SlotOf("k"), c.otherMaster("k"))
	if got, err := cc.Get(t.Context(), "k").Result(); got != "v" {
		t.Error(got, err)
	}
}

// otherMaster returns a master that does not serve a key.
func (c *Cluster) otherMaster(key string) *Server {
	if c.MasterOf(key) == c.MasterOfSlot(0) {
		return c.MasterOfSlot(Slots - 1)
	}
	return c.MasterOfSlot(0)
}
