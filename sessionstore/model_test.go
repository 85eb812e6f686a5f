package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestHistories has several browsers, and somebody who plants ids, send requests to two processes
// with one store, in random interleavings, and compares what is there with what was answered: see
// succession.go for what must hold.
func TestHistories(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playHistory(t, seed, 0) })
	}
}

// TestHistoriesWithFaults is the same with a store that fails, before or after it has done what was
// asked. Then a change may be present or not, but never twice.
func TestHistoriesWithFaults(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playHistory(t, 1000+seed, 0.03) })
	}
}

const (
	historyClients = 5 // the last one is the planter: it goes on with ids that others were given
	historyWorkers = 2 // parallel requests of each
	historyTurns   = 15
)

// node is a session under one id, as the clients know it.
type node struct {
	id   string
	line int

	// pred is the session that it succeeds, as the idx-th, and maker the change that made it.
	pred  *node
	idx   uint64
	maker string

	// saved are the changes that must be found in it. With marked, it has a successor that was
	// answered.
	saved  map[string]bool
	marked bool

	// A session that may be over is one of which somebody has begun a logout, or the first use of a
	// successor. It is over when that was answered.
	maybeOver, over bool
}

// request is what is known of a change. Its session was loaded as from, with gen.
type request struct {
	from     *node
	gen      uint64
	login    bool
	answered bool
	former   bool // answered, and it may be in a successor
	refused  bool
}

// history is what everybody together knows.
type history struct {
	*rig
	managers []*rig
	faulty   bool

	mu      sync.Mutex
	random  *rand.Rand
	jars    [historyClients]string
	nodes   map[string]*node
	roots   []*node
	lines   []bool // whether somebody has begun to end a session of it
	changes map[string]*request
	turns   int
}

func playHistory(t *testing.T, seed uint64, faults float64) {
	o := sessionstore.Options{
		MaxSize: 1 << 16, RegenerateGrace: time.Hour, RegenerateUnused: time.Hour, StoreTimeout: time.Hour, User: paths("user")[0],
	}
	bubble(t, o, func(t *testing.T, r *rig) {
		h := &history{
			rig: r, managers: []*rig{r, r.another(o)}, faulty: faults > 0, random: rand.New(rand.NewPCG(seed, 1)),
			nodes: map[string]*node{}, changes: map[string]*request{},
		}
		for _, m := range h.managers {
			for _, op := range []op{get, set, del} {
				m.store.before(op, 0, h.chance(faults))
				m.store.after(op, 0, h.chance(faults))
			}
		}
		var all sync.WaitGroup
		for client := range historyClients {
			for range historyWorkers {
				all.Go(func() {
					for range historyTurns {
						h.turn(client)
					}
				})
			}
		}
		all.Wait()
		for _, m := range h.managers {
			m.store.heal()
			if m.Queues() != 0 {
				t.Error("a queue is left")
			}
		}
		h.check()
		time.Sleep(2 * time.Hour) // what is in doubt is settled
	})
}

func (h *history) n(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.random.IntN(n)
}

// chance delays each operation and, now and then, loses it or its answer.
func (h *history) chance(faults float64) hook {
	return func(context.Context, call) error {
		time.Sleep(time.Duration(h.n(3_000_000)))
		if faults > 0 && float64(h.n(1_000_000)) < faults*1e6 {
			return errLost
		}
		return nil
	}
}

// cookie chooses what a client sends, and returns what must be found by it.
func (h *history) cookie(client int) (n *node, over, marked bool, saved map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.jars[client]
	if client == historyClients-1 && len(h.roots) > 0 && h.random.IntN(3) > 0 {
		id = h.roots[h.random.IntN(len(h.roots))].id
	}
	if n = h.nodes[id]; n == nil {
		return nil, false, false, nil
	}
	if n.pred != nil {
		n.pred.maybeOver = true
	}
	return n, n.over, n.marked, maps.Clone(n.saved)
}

// turn is one request.
func (h *history) turn(client int) {
	time.Sleep(time.Duration(h.n(5_000_000)))
	m := h.managers[h.n(len(h.managers))]
	from, over, marked, saved := h.cookie(client)
	s := &sessionstore.Session{Scope: here}
	if from != nil {
		var err error
		if s, err = m.Load(context.Background(), from.id, here); err != nil {
			if !h.faulty || !errors.Is(err, errLost) {
				h.Errorf("loading: %v", err)
			}
			return
		}
		h.found(s, from, over, saved)
	}
	if !s.Exists() {
		from = nil
	}
	time.Sleep(time.Duration(h.n(8_000_000)))
	switch n := h.n(100); {
	case n < 4 && from != nil:
		h.end(client, m, s, from, destroy)
	case n < 7 && from != nil:
		h.end(client, m, s, from, destroy, nil) // and begin another
	default:
		h.change(client, m, s, from, marked)
	}
}

// found compares what was loaded with what had been answered.
func (h *history) found(s *sessionstore.Session, n *node, over bool, saved map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.Exists() {
		if !n.maybeOver {
			h.Error("a session is gone that nobody has ended")
		}
		return
	}
	if over {
		h.Error("a session is back from the dead")
	}
	if n.pred != nil {
		n.pred.over = true
	}
	number, fields := readLine(s.Data())
	if number != n.line {
		h.Errorf("a session of %d, want %d", number, n.line)
	}
	for key := range saved {
		if !fields[key] {
			h.Errorf("a request does not find %s, which had been answered", key)
		}
	}
}

func (h *history) next(r *request) (key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns++
	key = fmt.Sprintf("k%d", h.turns)
	h.changes[key] = r
	return key
}

func (h *history) begin() (number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, false)
	return len(h.lines) - 1
}

// change makes a change, which may be invalid, to the session or begins one.
func (h *history) change(client int, m *rig, s *sessionstore.Session, from *node, marked bool) {
	c := &request{from: from, gen: s.Gen()}
	key := h.next(c)
	parts := []part{update(`{"` + key + `":1}`), count, flash(`["` + key + `","x"]`)}
	var line int
	if from == nil {
		line = h.begin()
		parts = append(parts, update(fmt.Sprintf(`{"line":%d}`, line)))
	} else {
		line = from.line
	}
	invalid, sameUser := false, false
	switch n := h.n(20); {
	case n < 3:
		parts = append(parts, regenerate)
		c.login = true
	case n < 6:
		user := parse(fmt.Sprint(h.n(3)))
		was, had := parse(s.Data()).Lookup(paths("user")[0])
		sameUser = had && was.Equal(user)
		c.login = !sameUser
		parts = append(parts, update(fmt.Sprintf(`{"user":%s}`, user)))
	case n < 8:
		parts = append(parts, permanent(h.n(2) == 0))
	case n < 9:
		parts, invalid = append(parts, update(`[{"op":"remove","path":"/nothing"}]`)), true
	}
	out, err := m.try(s, parts...)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil && out.Result == sessionstore.Dropped:
		c.refused = true
		mayDrop := h.lines[line] || sameUser || invalid || from != nil && from.maybeOver && (c.login || c.gen > 0)
		if !mayDrop {
			h.Errorf("%s was dropped, but its session had not ended", key)
		}
	case invalid && errors.Is(err, sessionstore.ErrInvalid):
		c.refused = true
	case h.faulty && errors.Is(err, errLost):
	case err != nil || invalid || out.Result != sessionstore.Saved:
		h.Errorf("%s, invalid %t: %+v, %v", key, invalid, out, err)
	default:
		c.answered, c.former = true, out.Former
		h.saved(key, c, line, &out, marked)
		h.receive(client, out)
	}
}

// saved notes where a change is that was answered. The caller holds mu.
func (h *history) saved(key string, c *request, line int, out *sessionstore.Outcome, marked bool) {
	own := c.from != nil && out.ID == c.from.id
	switch {
	case c.from != nil && c.login && (out.Cookie != sessionstore.CookieSet || own):
		h.Errorf("%s: a login without a cookie of its own", key)
	case own && marked:
		h.Errorf("%s: a cookie of an id that has a successor", key)
	case out.ID != "" && !own:
		h.enter(key, c.from, line, out.ID)
	case !out.Former:
		c.from.saved[key] = true
	}
}

// enter notes a session that a client was given. The caller holds mu.
func (h *history) enter(maker string, pred *node, line int, id string) {
	n := &node{id: id, line: line, pred: pred, maker: maker, saved: map[string]bool{maker: true}}
	h.nodes[id] = n
	if pred == nil {
		h.roots = append(h.roots, n)
		h.jars[h.random.IntN(historyClients-1)] = id // it is planted
		return
	}
	var rec sessionstore.Record
	if e := h.entry(id); e.Found() {
		if err := (sessionstore.Native{}).Decode(e.Value, &rec); err != nil {
			h.Error(err)
		}
	} else if !h.lines[line] {
		h.Errorf("%s: the session that was just answered is not there", maker)
	}
	n.idx, n.maybeOver, pred.marked = rec.Idx, h.lines[line], true
}

// end destroys the session, and, with a third part, begins another.
func (h *history) end(client int, m *rig, s *sessionstore.Session, n *node, parts ...part) {
	c := &request{}
	key := h.next(c)
	line := n.line
	if len(parts) > 1 {
		line = h.begin()
		parts[1] = update(fmt.Sprintf(`{"line":%d,"n":1,"%s":1}`, line, key))
		parts = append(parts, flash(`["`+key+`","x"]`))
	}
	h.mu.Lock()
	h.lines[n.line] = true
	for _, other := range h.nodes {
		other.maybeOver = other.maybeOver || other.line == n.line
	}
	h.mu.Unlock()
	out, err := m.try(s, parts...)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		n.over = true
		if out.ID != "" {
			c.answered = true
			h.enter(key, nil, line, out.ID)
		}
		h.receive(client, out)
	case h.faulty && errors.Is(err, errLost):
	default:
		h.Errorf("destroying: %v", err)
	}
}

// receive is the browser, which does not always get the answer. The caller holds mu.
func (h *history) receive(client int, out sessionstore.Outcome) {
	if h.random.IntN(10) == 0 {
		return
	}
	switch out.Cookie {
	case sessionstore.CookieSet:
		h.jars[client] = out.ID
	case sessionstore.CookieExpired:
		h.jars[client] = ""
	}
}

// readLine takes a session's data apart.
func readLine(data string) (number int, fields map[string]bool) {
	fields = map[string]bool{}
	number = -1
	for name, v := range parse(data).Members() {
		if strings.HasPrefix(name, "k") {
			fields[name] = true
		}
		if name == "line" {
			_, _ = fmt.Sscan(v.String(), &number)
		}
	}
	return number, fields
}

// check looks at the store when everything has been answered.
func (h *history) check() {
	records := h.records()
	everywhere := map[string]bool{}
	for _, rec := range records {
		if rec.State != sessionstore.Live {
			continue
		}
		_, fields := readLine(string(rec.Data))
		maps.Copy(everywhere, fields)
		if n, _ := parse(string(rec.Data)).Lookup(paths("n")[0]); n.String() != fmt.Sprint(len(fields)) {
			h.Errorf("%s changes were counted, %d are there", n, len(fields))
		}
		for key := range fields {
			if n := strings.Count(string(rec.Flash), `"`+key+`"`); n != 1 && len(rec.Flash) < sessionstore.MaxFlash-20 {
				h.Errorf("%s has %d messages", key, n)
			}
			if c := h.changes[key]; !c.answered && !h.faulty {
				h.Errorf("%s was refused and is there", key)
			}
		}
	}
	h.checkUsers(records)
	for _, n := range h.nodes {
		rec, found := records[sessionstore.Ref(n.id)]
		live := found && rec.State == sessionstore.Live
		if live && n.over || !live && !n.maybeOver {
			h.Errorf("over %t, perhaps %t, but live %t", n.over, n.maybeOver, live)
		}
		if live {
			_, fields := readLine(string(rec.Data))
			h.checkNode(n, fields)
		}
	}
	for key, c := range h.changes {
		if c.answered && !everywhere[key] && c.from != nil && c.gen == 0 && !c.login && !h.lines[c.from.line] {
			h.Errorf("%s was under way, was answered, and is nowhere", key)
		}
	}
}

// checkUsers compares what is listed for each user with the sessions that are there.
func (h *history) checkUsers(records map[string]sessionstore.Record) {
	for user := range 3 {
		name := fmt.Sprint(user)
		listed := h.sessions(name)
		for _, ref := range listed {
			if rec := records[ref]; rec.State != sessionstore.Live || rec.User != name || rec.Pred != "" {
				h.Errorf("what is listed for %s is a session of %q in state %d", name, rec.User, rec.State)
			}
		}
		for _, n := range h.nodes {
			ref := sessionstore.Ref(n.id)
			if rec, found := records[ref]; found && rec.State == sessionstore.Live && rec.User == name && rec.Pred == "" && !slices.Contains(listed, ref) {
				h.Errorf("a session of %s is not listed", name)
			}
		}
	}
	live := 0
	for _, rec := range records {
		if rec.State == sessionstore.Live && rec.User != "" {
			live++
		}
	}
	if n := h.entries(); n > live {
		h.Errorf("%d sessions are listed after a reading, %d are there", n, live)
	}
}

// checkNode looks at what a session holds, and its predecessors would have had to keep from it.
func (h *history) checkNode(n *node, fields map[string]bool) {
	for key := range n.saved {
		if !fields[key] {
			h.Errorf("%s was acknowledged and is lost", key)
		}
	}
	for key := range fields {
		c := h.changes[key]
		if c.refused { // it may be in one whose id nobody was told
			h.Errorf("%s was refused and is there", key)
		}
		made := c.from == nil || !c.login
		for m := n; m != nil; m = m.pred {
			made = made || m.maker == key
			if m.pred != nil && c.from == m.pred && c.gen >= m.idx && m.maker != key && m.idx > 0 {
				h.Errorf("%s came with the old id after the mark, and is in the successor", key)
			}
		}
		if !made {
			h.Errorf("the login %s is in a session whose cookie somebody else was given", key)
		}
	}
}
