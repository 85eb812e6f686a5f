package redistest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// owners returns the live nodes that serve the slots, as all live nodes see it.
func (c *Cluster) owners() (*[Slots]*Server, error) {
	var agreed *[Slots]*Server
	for _, node := range live(c.Nodes) {
		view, err := node.view()
		if err != nil {
			return nil, err
		}
		owners, err := c.ownersIn(view)
		if err != nil {
			return nil, fmt.Errorf("as the node on port %d sees it, %w", node.Port, err)
		}
		if agreed != nil && *owners != *agreed {
			return nil, errors.New("the nodes disagree on who serves which slot")
		}
		agreed = owners
	}
	if agreed == nil {
		return nil, stop{errors.New("no node is live")}
	}
	return agreed, nil
}

// ownersIn returns the live nodes that serve the slots, as one node sees it.
func (c *Cluster) ownersIn(view map[string]nodeView) (*[Slots]*Server, error) {
	var owners [Slots]*Server
	for _, server := range c.Nodes {
		node, known := view[c.ids[server]]
		if !known {
			return nil, fmt.Errorf("there is no node on port %d", server.Port)
		}
		if (server.Live() || len(node.slots) > 0) && node.failing {
			return nil, fmt.Errorf("the node on port %d is failing", server.Port)
		}
		for _, slots := range node.slots {
			for slot := slots.first; slot <= slots.last; slot++ {
				owners[slot] = server
			}
		}
	}
	for slot, owner := range owners {
		if owner == nil {
			return nil, fmt.Errorf("slot %d is served by none", slot)
		}
		if !owner.Live() {
			return nil, fmt.Errorf("slot %d is served by the node on port %d, which is not live", slot, owner.Port)
		}
	}
	return &owners, nil
}

// nodeView is what a node knows of one of the nodes.
type nodeView struct {
	master  string // the id of the node that this one is a replica of
	failing bool
	slots   []slotRange
}

type slotRange struct{ first, last int }

// view returns what a node knows of all nodes, by their ids.
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
			// One that is moved is in brackets, besides its line.
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
