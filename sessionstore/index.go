package sessionstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How the sessions of a user are known.
//
// For each user of a scope there is one record, the index, in the same store. It lists the refs of
// the user's sessions and when they began. All else is read from the sessions. It is a hint: no
// transaction spans two records. So the writes are ordered, and whoever reads it repairs it.
//
//	login, new id  1 create the record of the new id
//	               2 list it
//	               3 mark the old record, if there is one: see succession.go
//	               4 answer with the cookie
//	use            list the session if it is missing: at each touch, and at a save if nobody has
//	               looked for a touch interval, or if the session will be kept for longer, or was
//	               listed for another field of the data
//	read           look up what is listed, and take out what is over
//	end all        read, end the sessions and take them out, some at a time, and read again until
//	               nothing is left
//
// Nothing is written to the index when one session ends or is given another user: the next reader
// finds that out. What is over never returns, as ids are random, so no repair takes out too much.
//
// Every prefix of these writes is right:
//
//   - After 1, there is a record whose id nobody has. It idles out.
//   - After 2, it is listed too. It has a Pred as long as its id was not used, so it is not shown
//     and not counted. Where there was no old record, it is shown until it idles out, as any session
//     whose browser was thrown away.
//   - After 3, it is as if the answer was lost. Whoever ends all sessions of the user finds it.
//   - If 2 fails, nothing has changed: 1 is undone, or idles out.
//   - If the old record was ended between 1 and 3, the change is dropped. What was listed is over.
//   - The other order of 1 and 2 is wrong: a reader would take out what is not there yet.
//   - The other order of 2 and 3 is wrong: the session would outlive an "end all" in between. So
//     would one that is listed after the only reading of an "end all".
//   - A first use needs nothing: the old record is a mark then, which a reader takes out.
//   - Of two processes that list at once, one meets a conflict and does it again.
//   - A save that keeps a session for longer comes after the listing, and fails with it: the index
//     must not expire before its sessions.
//   - What ends because an index is full ends before the new entry is written. If that fails, it has
//     ended all the same. In the other order, it could live on unlisted.
//
// The index is kept for two touch intervals longer than the session that was listed last, and its
// time is checked whenever a session is listed. So it expires after its sessions, and soon.

// listedLen is the length of an entry: a ref in binary, and Unix milliseconds.
const listedLen = sha256.Size + 8

// listed is an entry of an index.
type listed struct {
	ref     string
	created time.Time
}

func appendListed(b []byte, l listed) []byte {
	b, _ = base64.RawURLEncoding.AppendDecode(b, []byte(l.ref))
	return binary.BigEndian.AppendUint64(b, uint64(l.created.UnixMilli()))
}

// owner is a user of a scope.
type owner struct{ scope, user string }

// key returns the key of the user's index. It cannot be the key of a session.
func (o owner) key() string {
	sum := sha256.Sum256(append(binary.AppendUvarint(nil, uint64(len(o.scope))), o.scope+o.user...))
	return "user." + base64.RawURLEncoding.EncodeToString(sum[:])
}

// IndexOf returns the key of the index that lists a session, of which this is the native record. It
// is empty if nobody has logged in to it.
func IndexOf(value []byte) string {
	var rec Record
	if err := (Native{}).Decode(value, &rec); err != nil || rec.State != Live || rec.User == "" {
		return ""
	}
	return owner{rec.Scope, rec.User}.key()
}

// indexed reports whether a session is one of those that are listed.
func (m *Manager) indexed(rec *Record) bool {
	return m.foreign == nil && m.userField != "" && rec.User != "" && rec.State == Live
}

// listing is a change of an index that waits in its queue. Its caller may give up meanwhile.
type listing struct {
	ctx   context.Context
	owner owner

	// add is the entry to add, if it has a ref. The index must be kept for need from now.
	add        listed
	need, want time.Duration

	// login says that the session has got its user just now, and pred is the key of the one that it
	// is to replace.
	login bool
	pred  string

	// over are refs to take out.
	over map[string]bool

	err error
}

// list enters the session of rec, which is under ref, in the index of its user, if it has one.
func (m *Manager) list(ctx context.Context, ref string, rec *Record, login bool) error {
	if !m.indexed(rec) {
		return nil
	}
	interval := m.touchInterval(m.idle(rec))
	l := &listing{
		ctx: ctx, owner: owner{rec.Scope, rec.User}, add: listed{ref, rec.Created},
		login: login, pred: rec.Pred,
		need: m.ttl(rec) + interval, want: m.ttl(rec) + 2*interval,
	}
	if err := m.changeIndex(l); err != nil {
		return fmt.Errorf("listing session: %w", err)
	}
	return nil
}

func (m *Manager) changeIndex(l *listing) error {
	if err := m.indexes.do(l.ctx, l.owner.key(), l); err != nil {
		return err
	}
	return l.err
}

// listAgain lists a session that is about to be saved as rec in the place of was, if nobody has
// looked at the index for a touch interval. If that fails, the next save or touch tries again. But
// a session that will be kept for longer, or whose user was found in another field, must be listed
// before: the index would expire earlier, or never have had it. Less than a second longer is no
// reason: that is how the times vary of a cookie in the vault that is set in each response.
func (m *Manager) listAgain(ctx context.Context, ref string, was, rec *Record) error {
	now := m.opts.Now()
	must := rec.kept() >= was.kept()+time.Second || was.UserField != m.userField
	late := now.Sub(rec.Listed) >= m.touchInterval(m.idle(rec)) || rec.Listed.After(now)
	if !m.indexed(rec) || !must && !late {
		return nil
	}
	err := m.list(ctx, ref, rec, false)
	switch {
	case err == nil:
		rec.Listed = now
	case !must:
		return nil
	}
	return err
}

// saveIndex runs as the only one in this process that changes this index.
func (m *Manager) saveIndex(key string, _ *queue[*listing], batch []*listing) {
	ctx, cancel := together(batch, func(l *listing) context.Context { return l.ctx })
	defer cancel()
	if err := m.trySaveIndex(ctx, key, batch); err != nil {
		for _, l := range batch {
			l.err = err
		}
	}
}

func (m *Manager) trySaveIndex(ctx context.Context, key string, batch []*listing) error {
	cur, err := m.store.Get(ctx, key)
	for err == nil {
		entries, readable := m.entries(cur)
		ttl, changed := cur.TTL, false
		var logins []*listing
		for _, l := range batch {
			l.err = nil
			left := slices.DeleteFunc(entries, func(e listed) bool { return l.over[e.ref] })
			changed = changed || len(left) < len(entries)
			entries = left
			if l.add.ref == "" {
				continue
			}
			if !slices.ContainsFunc(entries, func(e listed) bool { return e.ref == l.add.ref }) {
				entries, changed = append(entries, l.add), true
				if l.login {
					logins = append(logins, l)
				}
			}
			if changed || ttl < l.need {
				ttl, changed = max(ttl, l.want), true
			}
		}
		if !readable && len(entries) == 0 || !changed {
			return nil
		}
		if entries, err = m.limit(ctx, batch[0].owner, entries, logins); err == nil {
			entries, err = m.makeRoom(ctx, batch, entries, logins)
		}
		if err != nil {
			return err
		}
		if cur, err = m.putIndex(ctx, key, cur, batch[0].owner, entries, ttl); !errors.Is(err, ErrConflict) {
			return err
		}
		err = nil
	}
	return err
}

// entries returns what an index lists. An index that is damaged is made anew by who lists a
// session: nobody must be locked out by it.
func (m *Manager) entries(cur Entry) (entries []listed, readable bool) {
	if !cur.Found() {
		return nil, true
	}
	var rec Record
	if m.decode(cur.Value, &rec) != nil || rec.State != Index {
		return nil, false
	}
	for b := range slices.Chunk(rec.Sessions, listedLen) {
		entries = append(entries, listed{
			ref:     base64.RawURLEncoding.EncodeToString(b[:sha256.Size]),
			created: time.UnixMilli(int64(binary.BigEndian.Uint64(b[sha256.Size:]))),
		})
	}
	return entries, true
}

func (m *Manager) putIndex(ctx context.Context, key string, cur Entry, o owner, entries []listed, ttl time.Duration) (Entry, error) {
	if len(entries) == 0 {
		return m.store.CompareAndDelete(ctx, key, cur.Value)
	}
	rec := Record{State: Index, Scope: o.scope, User: o.user, Data: emptyObject, Created: entries[0].created}
	for _, e := range entries {
		rec.Sessions = appendListed(rec.Sessions, e)
	}
	value, err := m.encode(&rec)
	if err != nil {
		return Entry{}, err
	}
	return m.store.CompareAndSet(ctx, key, cur.Value, value, ttl)
}
