package redistest

import "errors"

// Migration is a slot that moves from one master to another. Meanwhile the old one answers ASK for
// keys that it no longer has.
type Migration struct {
	cluster  *Cluster
	slot     int
	from, to *Server
}

// MigrateSlot moves a slot and its keys to another master, and waits until all nodes know it.
func (c *Cluster) MigrateSlot(slot int, to *Server) {
	c.tb.Helper()
	m := c.BeginMigration(slot, to)
	m.MoveKeys()
	m.Finish()
}

// BeginMigration is the first step of [Cluster.MigrateSlot]: the slot is open on both sides; no key
// has moved.
func (c *Cluster) BeginMigration(slot int, to *Server) *Migration {
	c.tb.Helper()
	m := &Migration{cluster: c, slot: slot, from: c.MasterOfSlot(slot), to: to}
	if m.from == to {
		c.tb.Fatalf("slot %d is there already", slot)
	}
	c.do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[m.from])
	c.do(m.from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
	return m
}

// MoveKeys is the second step: it moves the keys that are in the slot now.
func (m *Migration) MoveKeys() {
	c := m.cluster
	c.tb.Helper()
	for {
		keys, _ := c.do(m.from, "CLUSTER", "GETKEYSINSLOT", m.slot, 100).([]any)
		if len(keys) == 0 {
			return
		}
		args := []any{"MIGRATE", "127.0.0.1", m.to.Port, "", 0, doTimeout.Milliseconds(), "AUTH2", adminUser, adminPassword, "KEYS"}
		c.do(m.from, append(args, keys...)...)
	}
}

// Finish is the third step: it makes the other side the owner of the slot, and waits until all live
// nodes know it.
func (m *Migration) Finish() {
	c := m.cluster
	c.tb.Helper()
	// The new master comes first, so that the slot always has an owner. The other nodes would learn
	// it, but later.
	c.do(m.to, "CLUSTER", "SETSLOT", m.slot, "NODE", c.ids[m.to])
	c.do(m.from, "CLUSTER", "SETSLOT", m.slot, "NODE", c.ids[m.to])
	for _, node := range live(c.Nodes) {
		if node != m.to && node != m.from && role(node, "master") == nil {
			c.do(node, "CLUSTER", "SETSLOT", m.slot, "NODE", c.ids[m.to])
		}
	}
	c.await("the slot to be moved", func() error {
		owners, err := c.owners()
		if err == nil && owners[m.slot] != m.to {
			err = errors.New("not yet moved")
		}
		return err
	})
}
