package redistest

import (
	"errors"
	"fmt"
	"testing"
)

// Slots is the number of slots in a cluster.
const Slots = 16384

// Cluster is a Redis Cluster of three masters with one replica each.
type Cluster struct {
	// Nodes are the servers: first the initial masters, then their replicas in the same order.
	Nodes []*Server

	// TLS has the certificates, or is nil without TLS.
	TLS *TLS

	tb  testing.TB
	ids map[*Server]string
}

// StartCluster runs a cluster until the test ends. It returns when the cluster is healthy.
func StartCluster(tb testing.TB, opts Options) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb, TLS: newTLSFor(tb, opts), ids: make(map[*Server]string)}
	for range 6 {
		c.Nodes = append(c.Nodes, newServer(tb, clusterNode, opts, c.TLS))
	}
	boot(tb, c.Nodes...)
	c.meet()
	masters := c.Nodes[:3]
	for i, master := range masters {
		from, to := i*Slots/3, (i+1)*Slots/3-1
		c.do(master, "CLUSTER", "ADDSLOTSRANGE", from, to)
		c.do(c.Nodes[i+3], "CLUSTER", "REPLICATE", c.ids[master])
	}
	c.WaitOK()
	return c
}

// meet joins the nodes to one cluster in which each knows all others.
func (c *Cluster) meet() {
	c.tb.Helper()
	for i, node := range c.Nodes {
		id, err := node.text("CLUSTER", "MYID")
		if err != nil {
			c.tb.Fatalf("asking a node for its id: %v", err)
		}
		c.ids[node] = id
		// Otherwise all nodes have epoch 0 and resolve conflicts over slots only later.
		c.do(node, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		for _, other := range c.Nodes[:i] {
			c.do(node, "CLUSTER", "MEET", "127.0.0.1", other.Port, other.busPort)
		}
	}
	c.await("the nodes to know each other", func() error {
		for _, node := range c.Nodes {
			view, err := node.view()
			if err != nil {
				return err
			}
			for _, id := range c.ids {
				if _, known := view[id]; !known {
					return fmt.Errorf("node on port %d does not know all others", node.Port)
				}
			}
		}
		return nil
	})
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

// SlotOf returns the slot of a key.
func (c *Cluster) SlotOf(key string) int {
	c.tb.Helper()
	slot, ok := c.do(c.anyNode(), "CLUSTER", "KEYSLOT", key).(int64)
	if !ok {
		c.tb.Fatal("CLUSTER KEYSLOT returned no number")
	}
	return int(slot)
}

// MasterOf returns the live node that serves a key. It waits until all live nodes agree on the
// owners of all slots and these are live: after a master was killed, until its replica is promoted.
func (c *Cluster) MasterOf(key string) *Server {
	c.tb.Helper()
	return c.MasterOfSlot(c.SlotOf(key))
}

// MasterOfSlot is [Cluster.MasterOf] for the keys in a slot.
func (c *Cluster) MasterOfSlot(slot int) *Server {
	c.tb.Helper()
	var master *Server
	c.await(fmt.Sprint("the master of slot ", slot), func() error {
		owners, err := c.owners()
		if err == nil {
			master = owners[slot]
		}
		return err
	})
	return master
}

// ReplicaOf returns the live replica of a master.
func (c *Cluster) ReplicaOf(master *Server) *Server {
	c.tb.Helper()
	var replica *Server
	c.await(fmt.Sprint("a replica of the node on port ", master.Port), func() error {
		for _, node := range live(c.Nodes) {
			view, err := node.view()
			if err != nil {
				return err
			}
			if view[c.ids[node]].master == c.ids[master] {
				replica = node
				return nil
			}
		}
		return errors.New("none found")
	})
	return replica
}

// WaitOK waits until the cluster is healthy: the live nodes agree on the owners of all slots, these
// are live, and the other live nodes have their masters' data. After a master was killed, that is
// when its replica is promoted.
func (c *Cluster) WaitOK() {
	c.tb.Helper()
	c.await("the cluster to be healthy", func() error {
		if _, err := c.owners(); err != nil {
			return err
		}
		for _, node := range live(c.Nodes) {
			text, err := node.text("CLUSTER", "INFO")
			if err != nil {
				return err
			}
			if state := parseInfo(text)["cluster_state"]; state != "ok" {
				return fmt.Errorf("node on port %d: cluster state is %q", node.Port, state)
			}
			info, err := node.info("replication")
			if err != nil {
				return err
			}
			if info["role"] == "slave" && info["master_link_status"] != "up" {
				return fmt.Errorf("node on port %d has no link to its master", node.Port)
			}
		}
		return nil
	})
}

// anyNode returns a live node.
func (c *Cluster) anyNode() *Server {
	c.tb.Helper()
	nodes := live(c.Nodes)
	if len(nodes) == 0 {
		c.tb.Fatal("no live node in the cluster")
	}
	return nodes[0]
}

func (c *Cluster) do(node *Server, args ...any) any {
	c.tb.Helper()
	reply, err := node.Do(args...)
	if err != nil {
		c.tb.Fatalf("%v on port %d: %v", args, node.Port, err)
	}
	return reply
}

func (c *Cluster) await(what string, try func() error) {
	c.tb.Helper()
	if err := wait(startTimeout, try); err != nil {
		c.tb.Fatalf("waiting for %s: %v", what, err)
	}
}
