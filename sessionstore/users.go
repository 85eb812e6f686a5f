package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrNoIndex means that the sessions of users are not listed: there is no [Options.User], or the
// sessions are in the format of another program.
var ErrNoIndex = errors.New("the sessions of users are not listed here")

// Info describes a session without its data.
type Info struct {
	// Ref names the session: see the function [Ref]. Scope is where it counts. It is empty if the
	// format of the record does not contain it.
	Ref   string
	Scope Scope

	// User is who has logged in, or empty.
	User string

	// Created is when the session began. It is zero if the format of the record does not contain
	// it. Used is the last recorded use: see [Options.TouchInterval]. It is zero if the store does
	// not know it. Expires is when the session ends if nobody uses it.
	Created, Used, Expires time.Time

	// Size is the size of the record, in bytes.
	Size int

	// Permanent says that the cookie outlives the browser.
	Permanent bool

	// First and Last are the clients of the first and of the last recorded use, with
	// [Options.RememberClient].
	First, Last Client

	// OnlyCookies says that the idle timeout is over, and that only the lasting cookies of the
	// vault are left. The session has no user then, and its data are gone.
	OnlyCookies bool

	// Unused says that the session's id was not used yet, and that there is an older session that
	// it will replace. It is not among the sessions of its user.
	Unused bool

	// listed is when the session was listed. If it is unused, that is when it was made. Pred is the
	// key of the older session then, and idx which of its successors this one is.
	listed time.Time
	pred   string
	idx    uint64
}

// Describe describes the session in an entry of the store. It reports false if there is no session
// that can still be used. An error wraps [ErrRecord].
func (m *Manager) Describe(ref string, entry Entry) (Info, bool, error) {
	var rec Record
	if !entry.Found() {
		return Info{}, false, nil
	}
	if err := m.decode(entry.Value, &rec); err != nil {
		return Info{}, false, err
	}
	now := m.opts.Now()
	left, _ := m.idleLeft(&rec, entry.TTL, now)
	if rec.State != Live || left <= 0 && !rec.hasRest() || m.tooOld(&rec, now) {
		return Info{}, false, nil
	}
	i := Info{
		Ref: ref, Scope: ParseScope(rec.Scope), User: rec.User, Created: rec.Created, Expires: now.Add(left),
		Size: len(entry.Value), Permanent: rec.lasts(), OnlyCookies: left <= 0, Unused: rec.Pred != "",
		First: rec.First, Last: rec.Last, listed: rec.Listed, pred: rec.Pred, idx: rec.Idx,
	}
	if i.OnlyCookies {
		_, end, err := m.rest(&rec, now)
		if err != nil || end.IsZero() {
			return Info{}, false, err
		}
		i.User, i.Expires = "", end
	}
	if end := rec.Created.Add(m.opts.AbsoluteTimeout); !rec.Created.IsZero() && end.Before(i.Expires) {
		i.Expires = end
	}
	switch {
	case entry.TTLUnknown:
	case rec.Until.IsZero():
		i.Used = now.Add(entry.TTL - rec.kept())
	default:
		i.Used = rec.Until.Add(-m.opts.RegenerateUnused)
	}
	if i.Used.Before(rec.Created) && !entry.TTLUnknown {
		i.Used = rec.Created
	}
	return i, true, nil
}

// Former describes a record whose session has got a new id, or was emptied, by its Ref, Scope and
// User. [Manager.EndKey] ends what has become of the session. Former reports false for all other
// records.
func (m *Manager) Former(ref string, entry Entry) (Info, bool) {
	var rec Record
	if m.foreign != nil || m.opts.Codec.Decode(entry.Value, &rec) != nil || rec.State == Index || rec.State == Live && rec.Gen == 0 {
		return Info{}, false
	}
	return Info{Ref: ref, Scope: ParseScope(rec.Scope), User: rec.User}, true
}

// UserSessions returns the sessions of a user, the last used first. It removes ended sessions from
// the user's index, and leaves out those that cannot be read. known are refs of sessions that count
// even if they are not listed. An error is [ErrNoIndex], wraps [ErrUnavailable] or [ErrRecord], or
// is that of the context.
func (m *Manager) UserSessions(ctx context.Context, scope Scope, user string, known ...string) ([]Info, error) {
	return m.userSessions(ctx, Managers{m}, owner{scope.String(), user}, known)
}

// userSessions returns a user's sessions, as all managers in by judge them.
func (m *Manager) userSessions(ctx context.Context, by Managers, o owner, known []string) ([]Info, error) {
	entries, err := m.listedOf(ctx, o, known)
	if err != nil {
		return nil, err
	}
	found, err := m.look(ctx, by, o, entries)
	if err != nil {
		return nil, fmt.Errorf("reading a user's sessions: %w", err)
	}
	m.takeOut(ctx, o, found)
	var list []Info
	for i := range found {
		if f := &found[i]; !f.over && f.err == nil && !f.info.Unused {
			list = append(list, f.info)
		}
	}
	slices.SortFunc(list, func(a, b Info) int { return b.Used.Compare(a.Used) })
	return list, nil
}

// listedOf returns the listed sessions of a user and the known ones. If the index is damaged, which
// is an [ErrRecord], it still returns the known ones.
func (m *Manager) listedOf(ctx context.Context, o owner, known []string) ([]listed, error) {
	if m.foreign != nil || m.userField == "" {
		return nil, ErrNoIndex
	}
	if o.user == "" {
		return nil, nil
	}
	cur, err := m.get(ctx, o.key())
	entries, readable := m.entries(cur)
	if err == nil && !readable {
		err = fmt.Errorf("%w: the list is damaged; the user's next login makes it anew", ErrRecord)
	}
	if err != nil {
		err = fmt.Errorf("reading a user's sessions: %w", err)
	}
	there := make(map[string]bool)
	for _, e := range entries {
		there[e.ref] = true
	}
	for _, ref := range known {
		if !there[ref] {
			entries = append(entries, listed{ref: ref})
		}
	}
	return entries, err
}

// get reads one record within the store timeout.
func (m *Manager) get(ctx context.Context, key string) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	return m.store.Get(ctx, key)
}

// looked is what is known of a listed session.
type looked struct {
	ref  string
	over bool  // it is no session of this user
	err  error // an [ErrRecord]: it cannot be read, so nobody knows
	info Info

	// stays says that it stays in the index although it is over. ends says that it ends with the
	// others. See [Managers.owns].
	stays, ends bool

	// ended says that it was live, and has been ended.
	ended bool
}

// lookups is how many sessions are looked up, or ended, at once.
const lookups = 8

// gone reports whether it is no session of this user, and never will be.
func (f *looked) gone() bool { return f.over && !f.stays }

// look looks up sessions that are listed for a user, as all managers in by judge them.
func (m *Manager) look(ctx context.Context, by Managers, o owner, entries []listed) ([]looked, error) {
	found := make([]looked, len(entries))
	err := atOnce(len(entries), func(i int) error {
		f := &found[i]
		f.ref = entries[i].ref
		entry, err := m.get(ctx, f.ref)
		var live bool
		if err == nil {
			f.info, live, err = by.Describe(f.ref, entry)
		}
		if errors.Is(err, ErrRecord) {
			f.err = err
			return nil
		}
		f.over = !live || f.info.User != o.user || f.info.Scope.String() != o.scope
		f.ends = !f.over
		if f.over && entry.Found() {
			f.stays, f.ends = by.owns(o, entry)
		}
		return err
	})
	return found, err
}

// takeOut removes ended sessions from the index. If that fails, the next reader does it.
func (m *Manager) takeOut(ctx context.Context, o owner, found []looked) {
	gone := make(map[string]bool)
	for i := range found {
		if found[i].gone() {
			gone[found[i].ref] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	_ = m.changeIndex(&listing{ctx: ctx, owner: o, over: gone})
}

// atOnce calls f for 0 to n-1, some at once, and returns the first error. No call begins after it.
func atOnce(n int, f func(i int) error) error {
	calls, over := errgroup.WithContext(context.Background())
	calls.SetLimit(lookups)
	for i := range n {
		calls.Go(func() error {
			if over.Err() != nil {
				return nil
			}
			return f(i)
		})
	}
	return calls.Wait()
}

// End ends the session with this ref. It also ends the older one that it will replace and the newer
// ones that have replaced it. It reports whether there was one. It works only with a [Codec] that
// makes its keys from refs. For others there is [Manager.EndKey].
func (m *Manager) End(ctx context.Context, ref string) (bool, error) {
	return m.EndKey(ctx, m.opts.Codec.Key("", ref))
}

// EndKey is [Manager.End] for the session under this key of the store.
func (m *Manager) EndKey(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	ended, err := m.endKey(ctx, key, nil)
	if err != nil {
		return ended, fmt.Errorf("ending session: %w", err)
	}
	return ended, nil
}

// endKey ends the session under key, and what it leads to, but for those in mine. It waits in no
// queue, so that the leader of one may call it.
func (m *Manager) endKey(ctx context.Context, key string, mine own) (ended bool, err error) {
	for range maxHops {
		if mine.has(key) {
			return ended, nil
		}
		cur, err := m.store.Get(ctx, key)
		if err != nil {
			return ended, err
		}
		rec := m.moves.mark(key, m.opts.Now())
		if cur.Found() {
			// Its timeouts do not count: another handler may have other ones.
			err = m.decode(cur.Value, &rec)
		}
		if err != nil || rec.State == Index {
			return ended, err
		}
		// The old one first: if this fails in between, the old id must not live on while the new
		// one has ended.
		if rec.Pred != "" && !mine.has(rec.Pred) {
			if err := m.endAlone(ctx, rec.Pred); err != nil {
				return ended, err
			}
		}
		p := &pending{}
		if err := m.end(ctx, key, new(queue[*pending]), cur, p); err != nil {
			return ended, err
		}
		ended = ended || rec.State == Live && (rec.Until.IsZero() || rec.Until.After(m.opts.Now()))
		if p.next == "" {
			return ended, nil
		}
		key = p.next
	}
	return ended, errHops
}

// endAlone ends the record under key, but not what it leads to.
func (m *Manager) endAlone(ctx context.Context, key string) error {
	cur, err := m.store.Get(ctx, key)
	if err != nil {
		return err
	}
	return m.end(ctx, key, new(queue[*pending]), cur, &pending{gen: never})
}

const (
	// maxReadings is how often EndUser reads the index at most.
	maxReadings = 100

	// endedAtOnce is how many sessions EndUser takes out of the index at once. Whoever asks again,
	// because the time was over, finds fewer.
	endedAtOnce = 64
)

var errReadings = fmt.Errorf("%w: the user logs in again all the time", ErrUnavailable)

// EndUser ends all sessions of a user except the one with the ref except, which may be empty. It
// returns how many it has ended. known are refs of sessions that end even if they are not listed.
// After an error, some sessions have ended and others have not: call it again. If a session cannot
// be read, EndUser ends all others before it returns the error. Errors are those of
// [Manager.UserSessions].
func (m *Manager) EndUser(ctx context.Context, scope Scope, user, except string, known ...string) (int, error) {
	return Managers{m}.EndUser(ctx, scope, user, except, known...)
}

// endUser ends the sessions of a user that are not in mine, as all managers in by judge them.
func (m *Manager) endUser(ctx context.Context, by Managers, o owner, mine own, known []string) (int, error) {
	ended := make(map[string]bool)
	for range maxReadings {
		entries, unreadable := m.listedOf(ctx, o, known)
		if unreadable != nil && !errors.Is(unreadable, ErrRecord) {
			return len(ended), unreadable
		}
		entries = slices.DeleteFunc(entries, func(e listed) bool { return mine.has(e.ref) })
		again := false
		for some := range slices.Chunk(entries, endedAtOnce) {
			found, err := m.endListed(ctx, by, o, some, mine)
			for i := range found {
				f := &found[i]
				again = again || f.ended
				if unreadable == nil && f.err != nil {
					unreadable = fmt.Errorf("one is left until its time is over: %w", f.err)
				}
				if f.ended && !f.info.Unused {
					ended[f.ref] = true
				}
			}
			if err != nil {
				return len(ended), err
			}
		}
		if !again {
			return len(ended), unreadable
		}
	}
	return len(ended), errReadings
}

// endListed ends some sessions that are listed, and takes them out of the index.
func (m *Manager) endListed(ctx context.Context, by Managers, o owner, entries []listed, mine own) ([]looked, error) {
	found, err := m.look(ctx, by, o, entries)
	if err != nil {
		return nil, fmt.Errorf("reading a user's sessions: %w", err)
	}
	err = atOnce(len(found), func(i int) error {
		f := &found[i]
		if !f.ends || f.err != nil || mine.spares(&f.info) {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
		defer cancel()
		was, err := m.endKey(ctx, f.ref, mine)
		f.ended = was || err == nil
		f.over, f.stays = f.ended, false
		if errors.Is(err, ErrRecord) {
			f.err = err
			return nil
		}
		return err
	})
	m.takeOut(ctx, o, found)
	return found, err
}
