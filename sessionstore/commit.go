package sessionstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// maxBatch is the maximum number of changes of one session that are saved together.
const maxBatch = 64

// Result says what became of a change.
type Result uint8

// The results of a commit that was not refused.
const (
	// Unchanged means that there was nothing to save.
	Unchanged Result = iota
	// Saved means that the change is in the store.
	Saved
	// Dropped means that the session had already ended, so there was nothing to change.
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

// Outcome is the result of a commit.
type Outcome struct {
	// Result says what became of the change.
	Result Result

	// Cookie says what happens to the client's cookie. ID, Permanent, CookieEnd and Browser belong
	// to a [CookieSet]. A permanent cookie lasts until CookieEnd, and Browser is the token for the
	// second cookie, see [Session.Browser].
	Cookie    Cookie
	ID        string
	Permanent bool
	CookieEnd time.Time
	Browser   string

	// Ref names the session after the commit. It is empty if there is none. Place is where the
	// session is, or where it was if the change was dropped.
	Ref   string
	Place Place

	// Refresh is how often a request that goes on must call [Manager.Refresh] after a saved change.
	// It is zero if there is no session.
	Refresh time.Duration

	// Former says that the client's id has a successor, from before the request or from a response
	// that overtook this one. The client must not get the cookie of its id again, which could
	// replace the new one.
	Former bool

	// Conflicts is how often the change was applied again because another process had saved a
	// change in between.
	Conflicts int
}

// Commit makes a change to a session that was loaded: all of it or nothing. It returns when the
// change is saved. If the record has changed since it was loaded, the change is made to the present
// record.
//
// An error that wraps [ErrInvalid] means that the change is refused and nothing has changed. After
// any other error ([ErrUnavailable], [ErrRecord], that of the context) the change may have been
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
		return Outcome{}, errors.Join(err, m.withdraw(ctx, func(ctx context.Context) error { return m.deleteUnused(ctx, key, entry) }))
	}
	return m.given(id, ref, &rec), nil
}

// beginning returns the record of a session that begins with a change. It is Ended if the change
// adds nothing, so that no session begins.
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

// put saves rec under key in place of old, and returns the record that is there afterwards.
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

	// gen is the Gen that the request knows of this key's record. former says that the change was
	// led here from another record, or comes after the response: see [Later]. The client then must
	// not get a new id.
	gen           uint64
	former, later bool

	// newID says that the change needs a new id. It is valid if judged is true. heir is the record
	// that was made for the new id.
	judged, newID bool
	heir          heir

	outcome Outcome
	err     error

	// next is the key of the successor, if the change is led on to that.
	next string
}

// maxHops is the maximum number of successors that a change is led through.
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

// goesOn prepares the change for the next key, and returns that.
func (p *pending) goesOn() (key string) {
	key, p.next, p.base, p.gen, p.former = p.next, "", Entry{}, 0, true
	return key
}

// enqueue changes an existing session when it is the change's turn, and follows the session to its
// successors.
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

// saveBatch saves a batch. Nobody else in this process writes this key meanwhile.
func (m *Manager) saveBatch(key string, q *queue[*pending], batch []*pending) {
	ctx, cancel := together(batch, func(p *pending) context.Context { return p.ctx })
	defer cancel()
	for len(batch) > 0 {
		n, err := m.saveSome(ctx, key, q, batch)
		if err != nil {
			q.known = nil // the save may have happened or not
			for _, p := range batch {
				p.err = err
			}
			return
		}
		batch = batch[n:]
	}
}

// saveSome saves the first changes of the batch that can be saved together, and returns their
// number.
//
// The record that is in the store decides what becomes of a change. If the change is saved, the
// compare-and-set proves which record that was. Otherwise (nothing to save, not valid, no session,
// led on) the record must have been read after the change came.
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
				return m.saveSome(ctx, key, q, batch[:1]) // to find the change that is too large
			}
			first.err = err
			return 1, m.deleteHeir(ctx, first)
		case !errors.Is(err, ErrConflict):
			return 0, err
		}
		cur, fresh = saved, true
	}
}

// current returns the record under key. If fresh is false, it is the one that was last seen there.
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

// plan is the result of the first changes of a batch for a record.
type plan struct {
	next    Record
	count   int
	changed bool

	// newID says that only the first change of the batch is saved, under a new id, as made.
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

// add adds the next change to a plan. It reports false if the change cannot be saved together with
// those before it.
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
	if !p.former { // as the session was loaded, its new id is no longer unused
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
	case !newID && rec.Gen > p.gen: // no new id is needed any more
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
