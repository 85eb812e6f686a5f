package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrNoIndex means that the sessions of users are not listed: there is no [Options.User], or the
// sessions are in the format of another program.
var ErrNoIndex = errors.New("the sessions of users are not listed here")

// Info describes a session without its data.
type Info struct {
	Ref   string
	Scope Scope

	// User is who has logged in, or empty.
	User string

	// Created is when the session began. It is zero if the format does not say it. Used is the last
	// use, as far as it was recorded: see [Options.TouchInterval]. It is zero if the store cannot
	// tell. Expires is when the session will have ended if nobody uses it any more.
	Created, Used, Expires time.Time

	// Size is the size of the record, in bytes.
	Size int

	// Permanent says that the cookie outlives the browser.
	Permanent bool

	// First and Last are the clients of the first and of the last recorded use, with
	// [Options.RememberClient].
	First, Last Client

	// Unused says that nobody has come with the session's id yet, and that there is an older
	// session that it would replace. It is not among the sessions of its user.
	Unused bool
}

// Describe describes the session in an entry of the store. The result is false if that is no
// session that anybody could still use. An error wraps [ErrRecord].
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
	if rec.State != Live || left <= 0 || m.tooOld(&rec, now) {
		return Info{}, false, nil
	}
	i := Info{
		Ref: ref, Scope: ParseScope(rec.Scope), User: rec.User, Created: rec.Created, Expires: now.Add(left),
		Size: len(entry.Value), Permanent: rec.lasts(), Unused: rec.Pred != "",
		First: rec.First, Last: rec.Last,
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

// UserSessions returns the sessions of a user, the one that was used last first. It takes out of
// the user's index what is over. An error is [ErrNoIndex], wraps [ErrUnavailable] or [ErrRecord],
// or is the context's.
func (m *Manager) UserSessions(ctx context.Context, scope Scope, user string) ([]Info, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	list, err := m.userSessions(ctx, owner{scope.String(), user})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(i Info) bool { return i.Unused })
	slices.SortFunc(list, func(a, b Info) int { return b.Used.Compare(a.Used) })
	return list, nil
}

// userSessions returns the sessions of a user, unused ones too, and repairs the index.
func (m *Manager) userSessions(ctx context.Context, o owner) ([]Info, error) {
	if m.foreign != nil || m.userField == "" {
		return nil, ErrNoIndex
	}
	if o.user == "" {
		return nil, nil
	}
	cur, err := m.store.Get(ctx, o.key())
	if err != nil {
		return nil, fmt.Errorf("reading a user's sessions: %w", err)
	}
	entries, readable := m.entries(cur)
	if !readable {
		return nil, fmt.Errorf("reading a user's sessions: %w: the list is damaged; the user's next login makes it anew", ErrRecord)
	}
	all, err := m.look(ctx, o, entries)
	if err != nil {
		return nil, fmt.Errorf("reading a user's sessions: %w", err)
	}
	over := make(map[string]bool)
	var list []Info
	for i := range all {
		if all[i].over {
			over[all[i].ref] = true
		} else {
			list = append(list, all[i].info)
		}
	}
	if len(over) > 0 {
		// If this fails, the next reader repairs the index.
		_ = m.changeIndex(&listing{ctx: ctx, owner: o, over: over})
	}
	return list, nil
}

// looked is what became of a session that is listed.
type looked struct {
	ref  string
	over bool // it is not this user's, and never will be
	info Info
}

// lookups is how many sessions are looked up, or ended, at once.
const lookups = 8

// look looks up sessions that are listed for a user.
func (m *Manager) look(ctx context.Context, o owner, entries []listed) ([]looked, error) {
	found := make([]looked, len(entries))
	err := atOnce(len(entries), func(i int) error {
		f := &found[i]
		f.ref = entries[i].ref
		entry, err := m.store.Get(ctx, f.ref)
		if err != nil {
			return err
		}
		var live bool
		f.info, live, err = m.Describe(f.ref, entry)
		f.over = !live || f.info.User != o.user || f.info.Scope.String() != o.scope
		return err
	})
	return found, err
}

// atOnce calls f for 0 to n-1, some at once, and returns an error if there was one.
func atOnce(n int, f func(i int) error) error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		next int
		err  error
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		i = next
		next++
		return i, i < n && err == nil
	}
	for range min(n, lookups) {
		all.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				if failed := f(i); failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return err
}

// End ends the session with this ref, and with it the older one that it is to replace and the newer
// ones that have replaced it. It reports whether there was one. It works only with a [Codec] that
// makes keys of refs; for others there is [Manager.EndKey].
func (m *Manager) End(ctx context.Context, ref string) (bool, error) {
	return m.EndKey(ctx, m.opts.Codec.Key("", ref))
}

// EndKey is [Manager.End] for the session under this key of the store.
func (m *Manager) EndKey(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	ended, err := m.endKey(ctx, key, "")
	if err != nil {
		return ended, fmt.Errorf("ending session: %w", err)
	}
	return ended, nil
}

// never is a Gen that no record has: a change that comes with it is led nowhere.
const never = 1<<64 - 1

// endKey ends the session under key, and what it leads to, but for the one under spare. It waits in
// no queue, so that the leader of one may call it.
func (m *Manager) endKey(ctx context.Context, key, spare string) (ended bool, err error) {
	for range maxHops {
		if key == spare {
			return ended, nil
		}
		cur, err := m.store.Get(ctx, key)
		if err != nil {
			return ended, err
		}
		rec, err := m.found(key, cur)
		if err != nil || rec.State == Index {
			return ended, err
		}
		// The old one first: if this fails in between, the old id must not live on while the new
		// one has ended.
		if rec.Pred != "" && rec.Pred != spare {
			if err := m.endAlone(ctx, rec.Pred); err != nil {
				return ended, err
			}
		}
		p := &pending{}
		if err := m.end(ctx, key, new(queue[*pending]), cur, p); err != nil {
			return ended, err
		}
		ended = ended || rec.State == Live
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

// maxReadings is how often EndUser reads the index at most.
const maxReadings = 100

var errReadings = fmt.Errorf("%w: the user logs in again all the time", ErrUnavailable)

// EndUser ends all sessions of a user but for the one with the ref except, which may be empty, and
// returns how many it has ended. After an error, further ones may have ended, and the same call
// goes on with the others. Errors are as of [Manager.UserSessions].
func (m *Manager) EndUser(ctx context.Context, scope Scope, user, except string) (int, error) {
	n, err := m.endUser(ctx, owner{scope.String(), user}, except)
	if err != nil {
		return n, fmt.Errorf("ending a user's sessions: %w", err)
	}
	return n, nil
}

func (m *Manager) endUser(ctx context.Context, o owner, except string) (int, error) {
	ended := make(map[string]bool)
	for range maxReadings {
		list, err := m.readUser(ctx, o)
		if err != nil {
			return len(ended), err
		}
		list = slices.DeleteFunc(list, func(i Info) bool { return i.Ref == except })
		if len(list) == 0 {
			return len(ended), nil
		}
		err = atOnce(len(list), func(i int) error {
			ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
			defer cancel()
			_, err := m.endKey(ctx, list[i].Ref, except)
			return err
		})
		if err != nil {
			return len(ended), err
		}
		for _, i := range list {
			if !i.Unused {
				ended[i.Ref] = true
			}
		}
	}
	return len(ended), errReadings
}

func (m *Manager) readUser(ctx context.Context, o owner) ([]Info, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	return m.userSessions(ctx, o)
}
