package sessionstore

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How a new id succeeds the old one.
//
// A session that gets a new id goes on in a new record, the successor. The old record stays as it
// was, for a client that never sees the answer. It ends when somebody uses the new id. Every step
// changes one key. The order of the writes makes every state in between right, whoever crashes.
//
//	regenerate  1 create the successor, with the change, Pred and Idx
//	            2 the old record: Gen + 1, Target, and Until if the app has asked for the new id
//	            3 answer with the cookie
//	first use   1 read the old record (Pred)
//	            2 make it a Mark, whatever it has become meanwhile, unless it is one or is gone
//	            3 forward the request
//	            4 take Pred away: with the request's own save, or off its path
//
// A request has loaded its session with some Gen, here g. What its change does depends on the
// record that is under the key when it is saved:
//
//	                         plain change       one for a new id        destroy
//	Live, Ended; Gen <= g    is made            regenerates             deletes; makes a Mark if Gen > 0
//	Live, Ended; Gen > g     is led to Target   regenerates             makes a Mark, then is led to Target
//	Mark;        Gen > g     is led to Target   is dropped              is led to Target
//	Mark;        Gen <= g    is dropped         is dropped              has happened
//
// If there is no record, the Mark counts that this process remembers (see moves), or one with Gen
// 0. At the Target, a change begins with g = 0. It gets no cookie there, and does not fill a record
// that was emptied. If a change is led on and would leave nothing here, it empties this record
// first: the old id is over, as after a destroy.
//
// The reasons: where Gen > g, the request was under way when the new id was made, so its change
// belongs to the same session. Where Gen <= g, it came with the old id afterwards. Its sender may
// be an attacker who has planted the id, so nothing of it reaches the successor. A change for a new
// id may be a login, and the successor's cookie may be the attacker's, so it is never led there.
// But the successor may come from a logout. So the record that such a change makes of the old one
// must not say any more who was logged in: see leaveReplaced.

// leadTime is the shortest time that a mark is kept. It is several times as long as lookInterval.
const leadTime = 3 * time.Minute

// lead returns how long a mark is kept.
func (m *Manager) lead() time.Duration {
	return max(m.opts.RegenerateGrace, leadTime).Truncate(time.Millisecond)
}

// mark returns the mark that replaces r when it has ended. It leads to the record under target, the
// gen-th successor.
func (r *Record) mark(gen uint64, target string) *Record {
	return &Record{State: Mark, Created: r.Created, Scope: r.Scope, Data: emptyObject, Gen: gen, Target: target, User: r.User}
}

// firstUse ends the predecessor of rec, which is under key, since somebody has come with the new
// id. The request waits for it. From then on the old id leads into no session.
func (m *Manager) firstUse(ctx context.Context, key string, rec *Record) error {
	old, err := m.store.Get(ctx, rec.Pred)
	for err == nil && old.Found() {
		var was Record
		if m.decode(old.Value, &was) != nil || was.State == Mark {
			return nil // nobody is served that
		}
		var found Entry
		if found, err = m.put(ctx, rec.Pred, old.Value, was.mark(rec.Idx, key)); err == nil {
			m.ended(rec.Pred, &was)
			return nil
		}
		if errors.Is(err, ErrConflict) {
			old, err = found, nil
		}
	}
	return err
}

// found returns the record that is under key. For changes, a record that has expired or is missing
// is a mark.
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

// meet says what becomes of a change that finds rec under its key.
func (m *Manager) meet(rec *Record, p *pending) meeting {
	switch {
	case rec.Gen > p.gen && !m.callsForID(p):
		return led
	case rec.State == Mark:
		return dropped
	case rec.State == Ended && p.former:
		// The session's cookie has expired, and a client with an old id gets no other.
		return dropped
	default:
		return stays
	}
}

// leadOn sends a change on to the successor. If it leaves nothing here, it empties this record too:
// an app may log out by removing all fields, and the old id must not stay logged in.
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

// callsForID reports whether a change calls for a new id. It looks at the record that the request
// had loaded, not at the present one: another login may have set the same data meanwhile.
func (m *Manager) callsForID(p *pending) bool {
	if !p.judged && !p.former {
		a, err := m.apply(&p.loaded, p.change, p.loaded.Flash)
		p.judged, p.newID = true, err == nil && regenerates(&a, p)
	}
	return p.newID && !p.former
}

// regenerates reports whether a change gives its session a new id. A change that empties the
// session ends it instead.
func regenerates(a *applied, p *pending) bool {
	return (p.change.Regenerate || a.elevated != notElevated) && a.next.State == Live
}

// moves remembers the successors of sessions, for requests under way in this process. They need it
// when the mark has expired, and with the formats of other programs, which have no marks. Other
// processes do not know it.
type moves struct {
	mu sync.Mutex

	// Each map holds what was added within the time that a move is kept. Then the older one is
	// forgotten as a whole.
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

func (ms *moves) forget(from string) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.newer, from)
	delete(ms.older, from)
}

// mark returns a mark that leads to the successor of the session under key, or one that leads
// nowhere.
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
