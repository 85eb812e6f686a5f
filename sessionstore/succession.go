package sessionstore

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How a new id succeeds the old one.
//
// A session that gets a new id goes on in a record of its own, the successor. The old record stays as it was before, for a
// client that never sees the answer. It ends when somebody uses the new id. Every step changes one key, and the
// order of the writes makes every state in between right, whoever crashes.
//
//	regenerate  1 create the successor, with the change, Pred and Idx
//	            2 the old record: Gen + 1, Target, and Until if the backend has asked for the new id
//	            3 answer with the cookie
//	first use   1 read the old record (Pred)
//	            2 make it a Mark, whatever it has become meanwhile, unless it is one or is gone
//	            3 forward the request
//	            4 take Pred away: with the request's own save, or off its path
//
// A change was loaded with a Gen, here g. What it does depends on what is under its key when it is saved:
//
//	                         plain change       one for a new id        destroy
//	Live, Ended; Gen <= g    is made            regenerates             deletes; makes a Mark if Gen > 0
//	Live, Ended; Gen > g     is led to Target   regenerates             makes a Mark, then is led to Target
//	Mark;        Gen > g     is led to Target   is dropped              is led to Target
//	Mark;        Gen <= g    is dropped         is dropped              has happened
//
// Nothing under the key counts as the Mark that this process remembers (see moves), or as one with Gen 0. At
// the Target, a change begins with g = 0. It gets no cookie there, and fills no record that has been emptied.
// A change that is led on and would leave nothing here empties this record first: as after a destroy, the old id is over.
//
// The reasons: a request with Gen > g was under way, so its change belongs to the same session. One with Gen <= g came
// with the old id after the new one was made. Perhaps its sender is an attacker who has planted the id: nothing of it reaches
// the successor. A change for a new id may be a login, and the successor's cookie may be the attacker's: it is never led.
// But the successor may come from a logout, so what such a change makes of the old record says no more who was logged in: see
// leaveReplaced.

// leadTime is how long what leads to a successor is kept at least. It is several times as long as lookInterval.
const leadTime = 3 * time.Minute

// lead returns how long a mark is kept.
func (m *Manager) lead() time.Duration {
	return max(m.opts.RegenerateGrace, leadTime).Truncate(time.Millisecond)
}

// mark returns what takes the place of r when it has ended: it leads to the record under target, the gen-th successor.
func (r *Record) mark(gen uint64, target string) *Record {
	return &Record{State: Mark, Created: r.Created, Scope: r.Scope, Data: emptyObject, Gen: gen, Target: target}
}

// firstUse ends the predecessor of rec, which is under key: somebody has come with the new id. It is done before the
// request goes on. From then on nobody is in the session by the old id.
func (m *Manager) firstUse(ctx context.Context, key string, rec *Record) error {
	old, err := m.store.Get(ctx, rec.Pred)
	for err == nil && old.Found() {
		var was Record
		if m.decode(old.Value, &was) != nil || was.State == Mark {
			return nil // nobody is served that
		}
		var found Entry
		if found, err = m.put(ctx, rec.Pred, old.Value, was.mark(rec.Idx, key)); err == nil {
			return nil
		}
		if errors.Is(err, ErrConflict) {
			old, err = found, nil
		}
	}
	return err
}

// found returns the record that is under key. What is over, or not there, meets changes as a mark does.
func (m *Manager) found(key string, cur Entry) (Record, error) {
	if !cur.Found() {
		return m.moves.mark(key, m.opts.Now()), nil
	}
	var rec Record
	err := m.decode(cur.Value, &rec)
	if err == nil && m.expired(&rec, cur.TTL, m.opts.Now()) {
		rec = *rec.mark(rec.Gen, rec.Target)
	}
	return rec, err
}

// meeting is what becomes of a change where it is.
type meeting uint8

const (
	stays   meeting = iota
	led             // it goes to the successor
	dropped         // its session is over
)

// meet says what a change does that finds rec under its key.
func (m *Manager) meet(rec *Record, p *pending) meeting {
	switch {
	case rec.Gen > p.gen && !m.callsForID(p):
		return led
	case rec.State == Mark:
		return dropped
	case rec.State == Ended && p.former:
		// The cookie that could show this session again has been taken back, and a client with an old id gets none.
		return dropped
	default:
		return stays
	}
}

// leadOn sends a change on to the successor. If it leaves nothing here, it empties this record too: a logout by an
// app that removes all its fields must not leave the old id logged in.
func (m *Manager) leadOn(pl *plan, p *pending) {
	p.next = pl.next.Target
	if pl.next.State != Live {
		return
	}
	change, err := p.changeFor(&pl.next)
	if err != nil {
		return
	}
	if a, err := m.apply(&pl.next, change, p.loaded.Flash); err == nil && a.next.State == Ended {
		pl.next, pl.changed = a.next, true
	}
}

// callsForID reports whether a change calls for a new id, going by what its request had loaded. What
// is there now does not count: after another's login, the data may be those of this one too.
func (m *Manager) callsForID(p *pending) bool {
	if !p.judged && !p.former {
		a, err := m.apply(&p.loaded, p.change, p.loaded.Flash)
		p.judged, p.newID = true, err == nil && regenerates(&a, p)
	}
	return p.newID && !p.former
}

// regenerates reports whether a change gives its session a new id. One that empties the session ends it instead.
func regenerates(a *applied, p *pending) bool {
	return (p.change.Regenerate || a.elevated != notElevated) && a.next.State == Live
}

// moves remembers where sessions have gone, for requests under way here that come when the record which led there is
// gone, or that never had one: the formats of other programs have no marks. Other processes do not know. Nothing else depends on it.
type moves struct {
	mu sync.Mutex

	// Each generation holds what was added within the time that a move is kept; the older one is then forgotten as a whole.
	newer, older map[string]move
	turn         time.Time
}

type move struct {
	gen   uint64
	to    string
	until time.Time
}

func (ms *moves) add(from string, gen uint64, to string, now time.Time, kept time.Duration) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if !now.Before(ms.turn) {
		ms.newer, ms.older, ms.turn = make(map[string]move), ms.newer, now.Add(kept)
	}
	ms.newer[from] = move{gen, to, now.Add(kept)}
}

// mark returns where the session under key has moved, as a mark, or one that leads nowhere.
func (ms *moves) mark(key string, now time.Time) Record {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, generation := range []map[string]move{ms.newer, ms.older} {
		if m, found := generation[key]; found && now.Before(m.until) {
			return Record{State: Mark, Gen: m.gen, Target: m.to}
		}
	}
	return Record{State: Mark}
}
