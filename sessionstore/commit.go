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
	// Dropped means that the session had ended before the change came, so
	// that there was nothing to change.
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

	// Cookie is what the client must be told, and ID, Permanent and CookieEnd are
	// what a [CookieSet] says: until CookieEnd a permanent cookie lasts.
	Cookie    Cookie
	ID        string
	Permanent bool
	CookieEnd time.Time

	// Ref names the session after the commit; it is empty if there is none.
	Ref string

	// Former says that the client has an old id, since before the request or since a response
	// that overtook this one: it must not be given a cookie.
	Former bool

	// Conflicts counts how often the change was applied again because
	// somebody else had saved in between.
	Conflicts int
}

// Commit makes the change to the session that was loaded, as one: all of it or nothing. It
// returns when the change is saved. If the record has changed since it was loaded,
// the change is made to what is there now.
//
// An error that wraps [ErrInvalid] means that nothing was changed, and never will be by this
// change. After any other ([ErrUnavailable], [ErrRecord], the context's) the change may
// have been saved or not.
func (m *Manager) Commit(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	if c.Empty() {
		return Outcome{Ref: s.ref}, nil
	}
	dctx := &deadline{Context: ctx, at: time.Now().Add(m.opts.StoreTimeout)}
	defer dctx.stop()

	var out Outcome
	var err error
	switch {
	case c.Destroy:
		out, err = m.destroy(dctx, s, c)
	case !s.Exists():
		out, err = m.create(dctx, s, c)
	default:
		out, err = m.enqueue(dctx, s, c)
	}
	if err != nil {
		return Outcome{Ref: s.ref}, fmt.Errorf("saving session: %w", err)
	}
	return out, nil
}

// create makes a session of a change to none. A change that brings nothing makes nothing.
func (m *Manager) create(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	if !c.fills() {
		return Outcome{}, nil
	}
	rec := m.born(s.Scope)
	a, err := m.apply(&rec, c, nil)
	if err != nil || a.next.State == Ended {
		return Outcome{}, err
	}
	if s.NoCookie {
		return Outcome{}, ErrNeedsCookie
	}
	id := m.newID()
	ref := Ref(id)
	if _, err := m.put(ctx, m.opts.Codec.Key(id, ref), nil, &a.next); err != nil {
		return Outcome{}, err
	}
	return m.given(id, ref, &a.next), nil
}

// born is a session of which nothing is known yet.
func (m *Manager) born(scope Scope) Record {
	rec := Record{Idle: m.opts.IdleTimeout, Permanent: m.opts.Permanent, Data: emptyObject}
	if m.foreign == nil {
		rec.Created, rec.Scope = m.opts.Now(), scope.String()
	}
	return rec
}

// given is the outcome that gives the client an id.
func (m *Manager) given(id, ref string, rec *Record) Outcome {
	return Outcome{
		Result: Saved, Cookie: CookieSet, ID: id, Ref: ref,
		Permanent: rec.Permanent, CookieEnd: m.cookieEnd(rec),
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
	value, err := m.opts.Codec.Encode(rec)
	if err != nil {
		return Entry{}, err
	}
	current, err := m.store.CompareAndSet(ctx, key, old, value, m.ttl(rec))
	if err != nil {
		return current, err
	}
	return Entry{Value: value, TTL: m.ttl(rec)}, nil
}

// ttl returns how long a record is kept unless it is touched.
func (m *Manager) ttl(rec *Record) time.Duration {
	switch rec.State {
	case Live:
		return rec.Idle
	case Alias:
		return m.opts.aliasTTL()
	default:
		return m.opts.RegenerateGrace
	}
}

// aliasTTL is how long an alias is kept: for the grace, but not so short that one which
// insist has written is gone when insist looks again. That would look as if
// the session had been destroyed.
func (o *Options) aliasTTL() time.Duration {
	return max(o.RegenerateGrace, o.StoreTimeout).Truncate(time.Millisecond)
}

// pending is a change that waits in the queue of a record. Whoever waits for it may
// give up while the leader works on it, so it shares nothing with the session.
type pending struct {
	ctx    context.Context
	until  time.Time
	change *Change

	// id is what the client holds, or empty.
	id, ref  string
	given    []byte
	noCookie bool

	// base is what the request had loaded from under this key, if anything.
	base Entry

	// former says that the record was reached through an alias: the client
	// has an old id, and must get no other.
	former bool

	outcome Outcome
	err     error

	// next is the key to go on with, if an alias was found.
	next string
}

// enqueue waits for its turn to change an existing session, and follows it when
// its id is regenerated meanwhile.
func (m *Manager) enqueue(ctx *deadline, s *Session, c *Change) (Outcome, error) {
	p := &pending{
		ctx: ctx.Context, until: ctx.at, change: c,
		id: s.id, ref: s.ref, given: s.rec.Flash, noCookie: s.NoCookie,
		base: s.entry,
	}
	key := s.key
	if s.Former() && !c.Destroy {
		key, p.base, p.former = s.rec.Target, Entry{}, true
	}
	for range maxAliases {
		q := m.enter(key)
		err := q.changes.Do(ctx, p)
		m.leave(key, q)
		switch {
		case err != nil:
			return Outcome{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		case p.err != nil:
			return Outcome{}, p.err
		case p.next == "":
			return p.outcome, nil
		}
		key, p.next, p.base, p.former = p.next, "", Entry{}, true
	}
	return Outcome{}, errAliases
}

// saveBatch runs as the only one in this process that writes this key.
func (m *Manager) saveBatch(key string, q *queue, batch []*pending) {
	until := batch[0].until
	for _, p := range batch {
		if p.until.Before(until) {
			until = p.until
		}
	}
	ctx := &deadline{Context: context.WithoutCancel(batch[0].ctx), at: until}
	defer ctx.stop()
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

// saveSome saves the changes at the front of the batch that can be saved
// together, and returns how many these are.
//
// What becomes of a change is decided on the record that is there now. A compare-and-set proves
// that it is; a verdict without one (nothing to save, not valid, no session) is
// only given on a record that was read for it.
func (m *Manager) saveSome(ctx context.Context, key string, q *queue, batch []*pending) (int, error) {
	cur, fresh, err := m.current(ctx, key, q, batch[0])
	if err != nil {
		return 0, err
	}
	for conflicts := 0; ; conflicts++ {
		q.known = &cur
		if batch[0].change.Destroy {
			batch[0].next = m.moves.to(key, m.opts.Now())
			if err := m.remove(ctx, key, cur, 0); err != nil {
				return 0, err
			}
			q.known = &Entry{}
			return 1, nil
		}
		var rec Record
		if cur.Found() {
			if err := m.decode(cur.Value, &rec); err != nil {
				return 0, err
			}
		}
		gone := !cur.Found() || m.expired(&rec, cur.TTL, m.opts.Now())
		if !gone && rec.State == Alias {
			return each(batch, func(p *pending) { p.next = rec.Target }), nil
		}
		var pl plan
		if !gone {
			pl = m.plan(&rec, batch, conflicts)
		}
		if !fresh && (gone || !pl.regenerate && !pl.changed) {
			now, err := m.store.Get(ctx, key)
			if err != nil {
				return 0, err
			}
			same := now.Found() == cur.Found() && bytes.Equal(now.Value, cur.Value)
			if cur, fresh = now, true; !same {
				continue
			}
		}
		switch {
		case gone:
			moved := m.moves.to(key, m.opts.Now())
			return each(batch, func(p *pending) { p.outcome, p.next = Outcome{Result: Dropped}, moved }), nil
		case pl.regenerate:
			return 1, m.regenerate(ctx, key, q, cur, fresh, batch[0])
		case !pl.changed:
			return pl.count, nil
		}
		saved, err := m.put(ctx, key, cur.Value, &pl.next)
		switch {
		case err == nil:
			q.known = &saved
			return pl.count, nil
		case errors.Is(err, ErrTooLarge):
			if pl.count > 1 {
				return m.saveSome(ctx, key, q, batch[:1]) // to see whose fault it is
			}
			batch[0].err = err
			return 1, nil
		case !errors.Is(err, ErrConflict):
			return 0, err
		}
		cur, fresh = saved, true
	}
}

// each gives all changes at the front of the batch the same verdict, and returns how many these
// are. One that destroys is not among them: it is done on its own.
func each(batch []*pending, verdict func(*pending)) int {
	for i, p := range batch {
		if p.change.Destroy {
			return i
		}
		p.err, p.outcome = nil, Outcome{}
		verdict(p)
	}
	return len(batch)
}

// current returns what is under key, or was when it was last seen; fresh says that it is.
func (m *Manager) current(ctx context.Context, key string, q *queue, p *pending) (cur Entry, fresh bool, err error) {
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

	// regenerate says that the first change of the batch needs a new id.
	regenerate bool
}

func (m *Manager) plan(rec *Record, batch []*pending, conflicts int) plan {
	pl := plan{next: *rec}
	for _, p := range batch {
		if p.change.Destroy {
			break
		}
		p.err, p.outcome = nil, Outcome{}
		before := pl.next.State
		if p.former && before == Ended {
			// The cookie that could show this session again has been taken back, and
			// a client with an old id gets none.
			p.outcome = Outcome{Result: Dropped}
			pl.count++
			continue
		}
		a, err := m.apply(&pl.next, p.change, p.given)
		if err != nil {
			p.err = err
			pl.count++
			continue
		}
		if m.regenerates(&a, p) {
			if p.noCookie {
				p.err = ErrNeedsCookie
				pl.count++
				continue
			}
			pl.regenerate = pl.count == 0
			break
		}
		out := Outcome{Ref: p.ref, Former: p.former, Conflicts: conflicts}
		if a.changed {
			out.Result = Saved
			out.Cookie = cookieAfter(before, pl.next.Permanent, &a.next)
		}
		if a.next.State == Ended {
			out.Ref = ""
		}
		if out.Cookie != CookieKept {
			switch {
			case p.noCookie:
				p.err = ErrNeedsCookie
				pl.count++
				continue
			case p.former:
				out.Cookie = CookieKept
			case out.Cookie == CookieSet:
				out.ID, out.Permanent = p.id, a.next.Permanent
				out.CookieEnd = m.cookieEnd(&a.next)
			}
		}
		p.outcome = out
		pl.next = a.next
		pl.changed = pl.changed || a.changed
		pl.count++
	}
	return pl
}

// cookieAfter compares a session before and after a change as its cookie shows it.
func cookieAfter(before State, permanent bool, next *Record) Cookie {
	switch {
	case next.State == Ended && before != Ended:
		return CookieExpired
	case next.State == Live && (before == Ended || next.Permanent != permanent):
		return CookieSet
	default:
		return CookieKept
	}
}
