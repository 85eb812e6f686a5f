package sessionstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// maxBatch is how many changes of one session are saved together at most.
const maxBatch = 64

// Result says what became of a change.
type Result uint8

// The results of a commit that was not refused.
const (
	// Unchanged means that there was nothing to save.
	Unchanged Result = iota
	// Saved means that the change is in the store.
	Saved
	// Dropped means that the session had ended before the change came, so that there was nothing to
	// change.
	Dropped
)

// Cookie says what has to happen to the client's cookie.
type Cookie uint8

// What can happen to a cookie.
const (
	CookieKept Cookie = iota
	CookieSet
	CookieExpired
)

// Outcome is what a commit has done.
type Outcome struct {
	Result Result

	// Cookie says what happens to the client's cookie. ID, Permanent, CookieEnd and Browser belong
	// to a [CookieSet]. A permanent cookie lasts until CookieEnd, and Browser is the token for the
	// second cookie, see [Session.Browser].
	Cookie    Cookie
	ID        string
	Permanent bool
	CookieEnd time.Time
	Browser   string

	// Ref names the session after the commit; it is empty if there is none. Place is where it is,
	// or where it was if the change was dropped.
	Ref   string
	Place Place

	// Refresh is how often a request that goes on must [Manager.Refresh] the session after a change
	// was saved. It is zero if there is none.
	Refresh time.Duration

	// Former says that the client's id has a successor, since before the request or since a
	// response that overtook this one. The client must not get its cookie: it could replace the new
	// one.
	Former bool

	// Conflicts counts how often the change was applied again because somebody else had saved in
	// between.
	Conflicts int
}

// Commit makes the change to the session that was loaded, as one: all of it or nothing. It returns
// when the change is saved. If the record has changed since it was loaded, the change is made to
// what is there now.
//
// An error that wraps [ErrInvalid] means that nothing was changed, and never will be by this
// change. After any other ([ErrUnavailable], [ErrRecord], the context's) the change may have been
// saved or not.
func (m *Manager) Commit(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	if c.Empty() {
		return Outcome{Ref: s.ref, Place: s.Place()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()

	var out Outcome
	err := s.takes(c)
	if err == nil && c.EndOthers {
		err = m.endOthers(ctx, s, c)
	}
	switch {
	case err != nil:
	case c.Destroy:
		out, err = m.destroy(ctx, s, c)
	case !s.Exists():
		out, err = m.create(ctx, s, c)
	default:
		out, err = m.enqueue(ctx, s, c)
	}
	if err != nil {
		return Outcome{Ref: s.ref}, fmt.Errorf("saving session: %w", err)
	}
	if out.Result == Dropped || out.Ref != "" && out.Ref == s.ref {
		out.Place = s.Place()
	}
	return out, nil
}

// create begins a session with a change.
func (m *Manager) create(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	rec, err := m.beginning(s, c)
	if err != nil || rec.State == Ended {
		return Outcome{}, err
	}
	id := m.newID()
	ref := Ref(id)
	key := m.opts.Codec.Key(id, ref)
	entry, err := m.put(ctx, key, nil, &rec)
	if err != nil {
		return Outcome{}, err
	}
	as := rec
	as.Pred = s.key // of a session that is about to end
	if err := m.list(ctx, ref, &as, rec.User != ""); err != nil {
		return Outcome{}, errors.Join(err, m.deleteUnused(ctx, key, entry))
	}
	return m.given(id, ref, &rec), nil
}

// beginning returns the record of a session that begins with a change. It is Ended if the change
// brings nothing, so that no session begins.
func (m *Manager) beginning(s *Session, c *Change) (Record, error) {
	if !c.fills() {
		return Record{State: Ended}, nil
	}
	rec := m.born(s.Scope)
	a, err := m.apply(&rec, c, nil)
	if err != nil || a.next.State == Ended {
		return a.next, err
	}
	if s.NoCookie {
		return a.next, ErrNeedsCookie
	}
	a.next.Listed = m.opts.Now()
	m.remember(&a.next, s.Client)
	return a.next, nil
}

// born returns the record of a session that begins now.
func (m *Manager) born(scope Scope) Record {
	rec := Record{Idle: m.opts.IdleTimeout, Permanent: m.opts.Permanent, CookieMark: m.opts.CookieMark, Data: emptyObject}
	if m.foreign == nil {
		rec.Created, rec.Scope = m.opts.Now(), scope.String()
	}
	return rec
}

// given returns the outcome that gives the client an id.
func (m *Manager) given(id, ref string, rec *Record) Outcome {
	return Outcome{
		Result: Saved, Cookie: CookieSet, ID: id, Ref: ref,
		Permanent: rec.lasts(), CookieEnd: m.cookieEnd(rec), Browser: rec.Browser,
		Place:   Place{Key: m.opts.Codec.Key(id, ref), Created: rec.Created, End: absoluteEnd(rec, m.opts.AbsoluteTimeout)},
		Refresh: m.refreshInterval(rec),
	}
}

func (m *Manager) cookieEnd(rec *Record) time.Time {
	return cookieEnd(rec, m.opts.AbsoluteTimeout, m.opts.Now())
}

// put saves rec under key in the place of old, and returns what is there afterwards.
func (m *Manager) put(ctx context.Context, key string, old []byte, rec *Record) (Entry, error) {
	if m.foreign != nil && rec.State == Ended {
		return m.store.CompareAndDelete(ctx, key, old)
	}
	value, err := m.encode(rec)
	if err != nil {
		return Entry{}, err
	}
	current, err := m.store.CompareAndSet(ctx, key, old, value, m.ttl(rec))
	if err != nil {
		return current, err
	}
	return Entry{Value: value, TTL: m.ttl(rec)}, nil
}

// ttl returns how long a record is kept unless it is touched. A record that leads to a successor is
// kept for m.lead() at least, even if the session ends sooner.
func (m *Manager) ttl(rec *Record) time.Duration {
	switch {
	case rec.State == Live && rec.Until.IsZero():
		return rec.kept()
	case rec.Gen > 0:
		return max(m.lead(), rec.Until.Sub(m.opts.Now()).Truncate(time.Millisecond))
	default:
		return m.opts.RegenerateGrace
	}
}

// pending is a change that waits in the queue of a record. Its caller may give up while the leader
// works on it, so it shares no memory with the session.
type pending struct {
	ctx    context.Context
	change *Change

	// id is what the client holds, or empty.
	id, ref  string
	noCookie bool
	client   Client

	// outdated says that the response sets the cookie again: see [Session.CookieOutdated].
	outdated bool

	// loaded is the record that the request had loaded, and base how it was stored, if that was
	// under this key.
	loaded Record
	base   Entry

	// gen is the Gen that the change comes with to this key, and former says that it was led here
	// from another: the client has an old id, and must get no other. So it is with a change that
	// comes later than the response: see [Later].
	gen           uint64
	former, later bool

	// newID says that the change calls for a new id, once that is judged, and heir is the record
	// that was made for it.
	judged, newID bool
	heir          heir

	outcome Outcome
	err     error

	// next is the key to go on with, if the change is led on.
	next string
}

// maxHops is how many regenerations a change may be led through.
const maxHops = 32

var errHops = fmt.Errorf("%w: the session's id was regenerated too often at once", ErrUnavailable)

// changing returns a change that comes to the key of an existing session.
func changing(ctx context.Context, s *Session, c *Change) *pending {
	return &pending{
		ctx: ctx, change: c,
		id: s.id, ref: s.ref, noCookie: s.NoCookie, client: s.Client, outdated: s.CookieOutdated(),
		loaded: s.rec, base: s.entry, gen: s.rec.Gen, former: s.later, later: s.later,
	}
}

// goesOn says that the change is led on from the record of a key, and returns the next key.
func (p *pending) goesOn() (key string) {
	key, p.next, p.base, p.gen, p.former = p.next, "", Entry{}, 0, true
	return key
}

// enqueue waits for its turn to change an existing session, and follows it to its successors.
func (m *Manager) enqueue(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	p, key := changing(ctx, s, c), s.key
	for range maxHops {
		err := m.sessions.do(ctx, key, p)
		switch {
		case err != nil:
			return Outcome{}, err
		case p.err != nil:
			return Outcome{}, p.err
		case p.next == "":
			return p.outcome, nil
		}
		key = p.goesOn()
	}
	return Outcome{}, errHops
}

// saveBatch runs as the only one in this process that writes this key.
func (m *Manager) saveBatch(key string, q *queue[*pending], batch []*pending) {
	ctx, cancel := together(batch, func(p *pending) context.Context { return p.ctx })
	defer cancel()
	for len(batch) > 0 {
		n, err := m.saveSome(ctx, key, q, batch)
		if err != nil {
			q.known = nil // it may have happened or not
			for _, p := range batch {
				p.err = err
			}
			return
		}
		batch = batch[n:]
	}
}

// saveSome saves the changes at the front of the batch that can be saved together, and returns how
// many these are.
//
// What becomes of a change is decided on the record that is in the store now. A compare-and-set
// proves that it still is. A verdict without a write (nothing to save, not valid, no session, led
// on) needs a record that was read for it.
func (m *Manager) saveSome(ctx context.Context, key string, q *queue[*pending], batch []*pending) (int, error) {
	first := batch[0]
	cur, fresh, err := m.current(ctx, key, q, first)
	if err != nil {
		return 0, err
	}
	if first.change.Destroy {
		return 1, m.end(ctx, key, q, cur, first)
	}
	for conflicts := 0; ; conflicts++ {
		q.known = &cur
		rec, err := m.found(key, cur)
		if err != nil {
			return 0, errors.Join(err, m.deleteHeir(ctx, first))
		}
		pl := m.plan(&rec, batch, conflicts)
		if !fresh && !pl.newID && !pl.changed {
			now, err := m.store.Get(ctx, key)
			if err != nil {
				return 0, err
			}
			same := now.Found() == cur.Found() && bytes.Equal(now.Value, cur.Value)
			if cur, fresh = now, true; !same {
				continue
			}
		}
		var saved Entry
		if pl.newID {
			saved, err = m.regenerate(ctx, key, cur, &rec, &pl.made, first)
			first.outcome.Conflicts = conflicts
		} else if err = errors.Join(m.deleteHeir(ctx, first), m.emptied(ctx, &pl)); err == nil && pl.changed {
			if err = m.listAgain(ctx, key, &rec, &pl.next); err == nil {
				saved, err = m.put(ctx, key, cur.Value, &pl.next)
			}
		} else if err == nil {
			return pl.count, nil
		}
		switch {
		case err == nil:
			q.known = &saved
			if pl.changed && pl.next.State == Ended {
				m.ended(key, &pl.next)
			}
			return pl.count, nil
		case errors.Is(err, ErrUserLimit):
			first.err = err
			return 1, nil
		case errors.Is(err, ErrTooLarge):
			if pl.count > 1 {
				return m.saveSome(ctx, key, q, batch[:1]) // to see whose fault it is
			}
			first.err = err
			return 1, m.deleteHeir(ctx, first)
		case !errors.Is(err, ErrConflict):
			return 0, err
		}
		cur, fresh = saved, true
	}
}

// current returns what is under key. If fresh is false, it is what was last seen there.
func (m *Manager) current(ctx context.Context, key string, q *queue[*pending], p *pending) (cur Entry, fresh bool, err error) {
	if q.known != nil {
		return *q.known, false, nil
	}
	if p.base.Found() {
		return p.base, false, nil
	}
	cur, err = m.store.Get(ctx, key)
	return cur, true, err
}

// plan is what the changes at the front of a batch make of a record.
type plan struct {
	next    Record
	count   int
	changed bool

	// newID says that the first change of the batch, and no other, is to be saved under a new id,
	// as made.
	newID bool
	made  applied

	// emptiedLater says that a change of [Later] empties the session.
	emptiedLater bool
}

func (m *Manager) plan(rec *Record, batch []*pending, conflicts int) plan {
	pl := plan{next: *rec}
	for _, p := range batch {
		if p.change.Destroy || pl.newID || !m.add(&pl, p, conflicts) {
			break
		}
		pl.count++
	}
	return pl
}

// add adds the next change to a plan. It reports false if that cannot be saved with those before
// it.
func (m *Manager) add(pl *plan, p *pending, conflicts int) bool {
	rec := &pl.next
	p.err, p.outcome, p.next = nil, Outcome{}, ""
	switch m.meet(rec, p) {
	case led:
		m.leadOn(pl, p)
		return true
	case dropped:
		p.outcome = Outcome{Result: Dropped}
		return true
	}
	change, err := p.changeFor(rec)
	if err != nil {
		p.err = err
		return true
	}
	a, err := m.apply(rec, change, p.loaded.Flash)
	newID := err == nil && regenerates(&a, p)
	former := p.former || rec.Gen > 0
	if !p.former { // by its load, the new id is no longer unused
		a.next.Pred, a.next.Idx = "", 0
	}
	m.remember(&a.next, p.client)
	if p.loaded.BrowserSeen && a.next.Browser == p.loaded.Browser {
		a.next.BrowserSeen = true
	}
	out := Outcome{Ref: p.ref, Former: former, Conflicts: conflicts}
	if a.next.State == Ended {
		out.Ref = ""
	}
	if a.changed && !former {
		out.Cookie = cookieAfter(rec, &a.next)
	}
	switch {
	case newID || out.Cookie == CookieSet || p.outdated && !former:
		a.next.CookieMark = m.opts.CookieMark
	case p.later && a.next.lasts() != rec.lasts():
		a.next.CookieMark = "" // the next response sets the cookie
	}
	switch {
	case err != nil:
		p.err = err
	case newID && p.later:
		p.err = ErrNeedsCookie
	case newID && p.former:
		p.outcome = Outcome{Result: Dropped}
	case !newID && rec.Gen > p.gen: // it does not call for a new id any more
		m.leadOn(pl, p)
	case p.noCookie && (newID || out.Cookie != CookieKept):
		p.err = ErrNeedsCookie
	case newID:
		pl.newID, pl.made = pl.count == 0, a
		return pl.newID
	default:
		if a.changed {
			out.Result = Saved
			if a.next.State == Live {
				out.Refresh = m.refreshInterval(&a.next)
			}
		}
		if out.Cookie == CookieSet {
			out.ID, out.Permanent, out.CookieEnd, out.Browser = p.id, a.next.lasts(), m.cookieEnd(&a.next), a.next.Browser
		}
		p.outcome, pl.next, pl.changed = out, a.next, pl.changed || a.changed
		pl.emptiedLater = p.later && a.next.State == Ended
	}
	return true
}

// cookieAfter says what a change does to the session's cookie.
func cookieAfter(rec, next *Record) Cookie {
	switch {
	case next.State == Ended && rec.State != Ended:
		return CookieExpired
	case next.State == Live && (rec.State == Ended || next.lasts() != rec.lasts()):
		return CookieSet
	default:
		return CookieKept
	}
}
