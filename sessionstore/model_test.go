package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestHistories has clients of one browser send requests to two processes with one store, in
// random interleavings, and compares what is there with what was answered: every change
// that was acknowledged is present exactly once, and what has ended stays so.
func TestHistories(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playHistory(t, seed, 0) })
	}
}

// TestHistoriesWithFaults is the same with a store that fails, before or after it has done
// what was asked. Then a change may be present or not, but never twice.
func TestHistoriesWithFaults(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playHistory(t, 1000+seed, 0.03) })
	}
}

const (
	historyClients = 6
	historyTurns   = 25
)

// line is the history of one session, through all its ids. Its data have its number, and for each
// change a key of its own and one more in a count.
type line struct {
	ids                      []string
	saved, unsure, notSaved  map[string]bool
	ending, ended, maybeOver bool
}

// history is what the clients know. It has one browser's cookie.
type history struct {
	*rig
	managers []*rig
	faulty   bool

	mu     sync.Mutex
	random *rand.Rand
	cookie string
	lines  []*line
	turns  int
}

func playHistory(t *testing.T, seed uint64, faults float64) {
	o := sessionstore.Options{
		MaxSize: 1 << 16, RegenerateGrace: time.Hour, StoreTimeout: time.Hour, RegenerateOn: paths("user"),
	}
	bubble(t, o, func(t *testing.T, r *rig) {
		h := &history{rig: r, managers: []*rig{r, r.another(o)}, faulty: faults > 0, random: rand.New(rand.NewPCG(seed, 1))}
		for _, m := range h.managers {
			for _, op := range []op{get, set, del} {
				m.store.before(op, 0, h.chance(faults))
				m.store.after(op, 0, h.chance(faults))
			}
		}
		var all sync.WaitGroup
		for range historyClients {
			all.Go(func() {
				for range historyTurns {
					h.turn()
				}
			})
		}
		all.Wait()
		for _, m := range h.managers {
			m.store.heal()
			if m.Queues() != 0 {
				t.Error("a queue is left")
			}
		}
		h.check()
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

// known is what a request must find: what had been answered when it came.
type known struct {
	cookie string
	saved  []map[string]bool
	ended  []bool
}

func (h *history) known() (k known) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k.cookie = h.cookie
	for _, l := range h.lines {
		k.saved = append(k.saved, maps.Clone(l.saved))
		k.ended = append(k.ended, l.ended)
	}
	return k
}

// turn is one request.
func (h *history) turn() {
	time.Sleep(time.Duration(h.n(5_000_000)))
	m := h.managers[h.n(len(h.managers))]
	k := h.known()
	s := &sessionstore.Session{Scope: here}
	if k.cookie != "" {
		var err error
		if s, err = m.Load(context.Background(), k.cookie, here); err != nil {
			if !h.faulty || !errors.Is(err, errLost) {
				h.Errorf("loading: %v", err)
			}
			return
		}
	}
	var l *line
	if s.Exists() {
		l = h.found(s, k)
	}
	time.Sleep(time.Duration(h.n(8_000_000)))
	switch n := h.n(100); {
	case n < 5 && l != nil:
		h.end(m, s, l, destroy)
	case n < 9 && l != nil:
		h.end(m, s, l, destroy, nil) // and begin another
	default:
		h.change(m, s, l)
	}
}

// found compares what was loaded with what had been answered.
func (h *history) found(s *sessionstore.Session, k known) *line {
	number, fields := readLine(s.Data())
	h.mu.Lock()
	defer h.mu.Unlock()
	if number < len(k.ended) && k.ended[number] {
		h.Errorf("session %d is back from the dead", number)
	}
	if number < len(k.saved) && !s.Former() {
		for key := range k.saved[number] {
			if !fields[key] {
				h.Errorf("session %d: a request does not find %s, which had been answered", number, key)
			}
		}
	}
	return h.lines[number]
}

func (h *history) next() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turns++
	return fmt.Sprintf("k%d", h.turns)
}

func (h *history) begin() (int, *line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &line{saved: map[string]bool{}, unsure: map[string]bool{}, notSaved: map[string]bool{}}
	h.lines = append(h.lines, l)
	return len(h.lines) - 1, l
}

// change makes a change, which may be invalid, to the session or begins one.
func (h *history) change(m *rig, s *sessionstore.Session, l *line) {
	key := h.next()
	parts := []part{update(`{"` + key + `":1}`), count, flash(`["` + key + `","x"]`)}
	if l == nil {
		var number int
		number, l = h.begin()
		parts = append(parts, update(fmt.Sprintf(`{"line":%d}`, number)))
	}
	invalid := false
	switch n := h.n(20); {
	case n < 4:
		parts = append(parts, regenerate)
	case n < 6:
		parts = append(parts, update(fmt.Sprintf(`{"user":%d}`, h.n(3))))
	case n < 7:
		parts = append(parts, permanent(h.n(2) == 0))
	case n < 9:
		parts, invalid = append(parts, update(`[{"op":"remove","path":"/nothing"}]`)), true
	}
	out, err := m.try(s, parts...)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case invalid && errors.Is(err, sessionstore.ErrInvalid), err == nil && out.Result == sessionstore.Dropped:
		l.notSaved[key] = true
		if !invalid && !l.ending {
			h.Errorf("%s was dropped, but its session had not ended", key)
		}
	case h.faulty && errors.Is(err, errLost):
		l.unsure[key] = true
	case err != nil || invalid || out.Result != sessionstore.Saved:
		h.Errorf("%s, invalid %t: %+v, %v", key, invalid, out, err)
	default:
		l.saved[key] = true
	}
	h.receive(l, out)
}

// end destroys the session, and, with a third part, begins another.
func (h *history) end(m *rig, s *sessionstore.Session, l *line, parts ...part) {
	next, key := l, h.next()
	if len(parts) > 1 {
		var number int
		number, next = h.begin()
		parts[1] = update(fmt.Sprintf(`{"line":%d,"n":1,"%s":1}`, number, key))
		parts = append(parts, flash(`["`+key+`","x"]`))
	}
	h.mu.Lock()
	l.ending = true
	h.mu.Unlock()
	out, err := m.try(s, parts...)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		l.ended = true
		next.saved[key] = next != l
	case h.faulty && errors.Is(err, errLost):
		l.maybeOver = true
	default:
		h.Errorf("destroying: %v", err)
	}
	h.receive(next, out)
}

// receive is the browser.
func (h *history) receive(l *line, out sessionstore.Outcome) {
	switch out.Cookie {
	case sessionstore.CookieSet:
		h.cookie = out.ID
		l.ids = append(l.ids, out.ID)
	case sessionstore.CookieExpired:
		h.cookie = ""
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
	live := make(map[int]int)
	for _, rec := range records {
		if rec.State != sessionstore.Live {
			continue
		}
		number, fields := readLine(string(rec.Data))
		if number < 0 {
			h.Fatalf("a session of nobody: %s", rec.Data)
		}
		live[number]++
		l := h.lines[number]
		if n, _ := parse(string(rec.Data)).Lookup(paths("n")[0]); n.String() != fmt.Sprint(len(fields)) {
			h.Errorf("session %d: %s changes were counted, %d are there", number, n, len(fields))
		}
		for key := range fields {
			if n := strings.Count(string(rec.Flash), `"`+key+`"`); n != 1 && len(rec.Flash) < sessionstore.MaxFlash-20 {
				h.Errorf("session %d: %s has %d messages", number, key, n)
			}
			if l.notSaved[key] || !l.saved[key] && !l.unsure[key] && !h.faulty {
				h.Errorf("session %d: %s was refused and is there", number, key)
			}
		}
	}
	for number, l := range h.lines {
		if n := live[number]; !h.faulty && (l.ended && n != 0 || !l.ended && len(l.ids) > 0 && n != 1) {
			h.Errorf("session %d: ended %t, %d are there", number, l.ended, n)
		}
		h.checkIDs(records, number, l)
	}
}

// checkIDs follows every id that a client was ever given for a session: all lead to
// the same record, which has all that was acknowledged.
func (h *history) checkIDs(records map[string]sessionstore.Record, number int, l *line) {
	ends := map[string]bool{}
	for _, id := range l.ids {
		key := sessionstore.Ref(id)
		for records[key].State == sessionstore.Alias {
			key = records[key].Target
		}
		rec, found := records[key]
		if l.ended && found || !found && !l.ended && !l.maybeOver {
			h.Errorf("session %d: ended %t, but found %t", number, l.ended, found)
		}
		if !found {
			continue
		}
		ends[key] = true
		_, fields := readLine(string(rec.Data))
		for key := range l.saved {
			if !fields[key] {
				h.Errorf("session %d: %s was acknowledged and is lost", number, key)
			}
		}
	}
	if len(ends) > 1 {
		h.Errorf("session %d: its ids lead to %d records", number, len(ends))
	}
}
