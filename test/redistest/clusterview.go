package redistest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// owners returns the live nodes that serve the slots, in the view of all live nodes.
func (c *Cluster) owners() (*[Slots]*Server, error) {
	var agreed *[Slots]*Server
	for _, node := range live(c.Nodes) {
		view, err := node.view()
		if err != nil {
			return nil, err
		}
		owners, err := c.ownersIn(view)
		if err != nil {
			return nil, fmt.Errorf("in the view of the node on port %d, %w", node.Port, err)
		}
		if agreed != nil && *owners != *agreed {
			return nil, errors.New("the nodes disagree on the owners of slots")
		}
		agreed = owners
	}
	if agreed == nil {
		return nil, stop{errors.New("no live node")}
	}
	return agreed, nil
}

// ownersIn returns the live nodes that serve the slots, in the view of one node.
func (c *Cluster) ownersIn(view map[string]nodeView) (*[Slots]*Server, error) {
	var owners [Slots]*Server
	for _, server := range c.Nodes {
		node, known := view[c.ids[server]]
		if !known {
			return nil, fmt.Errorf("no node on port %d", server.Port)
		}
		if (server.Live() || len(node.slots) > 0) && node.failing {
			return nil, fmt.Errorf("node on port %d is failing", server.Port)
		}
		for _, slots := range node.slots {
			for slot := slots.first; slot <= slots.last; slot++ {
				owners[slot] = server
			}
		}
	}
	for slot, owner := range owners {
		if owner == nil {
			return nil, fmt.Errorf("slot %d has no owner", slot)
		}
		if !owner.Live() {
			return nil, fmt.Errorf("the owner of slot %d on port %d is not live", slot, owner.Port)
		}
	}
	return &owners, nil
}

// nodeView is what a node reports about one of the nodes.
type nodeView struct {
	master  string // the master's id if this is a replica
	failing bool
	slots   []slotRange
}

type slotRange struct{ first, last int }

// view returns the report of a node about all nodes, by id.
func (s *Server) view() (map[string]nodeView, error) {
	text, err := s.text("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	view := make(map[string]nodeView)
	for line := range strings.Lines(text) {
		// <id> <address> <flags> <master> <ping> <pong> <epoch> <link> <slots>...
		fields := strings.Fields(line)
		if len(fields) < 8 {
			return nil, fmt.Errorf("not a line of CLUSTER NODES: %q", line)
		}
		flags := strings.Split(fields[2], ",")
		if slices.Contains(flags, "handshake") {
			continue
		}
		node := nodeView{failing: slices.Contains(flags, "fail") || slices.Contains(flags, "fail?")}
		if slices.Contains(flags, "slave") {
			node.master = fields[3]
		}
		for _, slots := range fields[8:] {
			// A slot that is being moved follows in brackets.
			if strings.HasPrefix(slots, "[") {
				continue
			}
			first, last, more := strings.Cut(slots, "-")
			if !more {
				last = first
			}
			var r slotRange
			if r.first, err = strconv.Atoi(first); err != nil {
				return nil, err
			}
			if r.last, err = strconv.Atoi(last); err != nil {
				return nil, err
			}
			node.slots = append(node.slots, r)
		}
		view[fields[0]] = node
	}
	return view, nil
}
