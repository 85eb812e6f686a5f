package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrUserLimit means that a login was refused, since the user has [Options.MaxUserSessions]
// already.
var ErrUserLimit = errors.New("the user has too many sessions")

// limit keeps a user's sessions within [Options.MaxUserSessions] when there are new logins, which
// are at the end of entries. It returns the entries that are left. All that are listed are looked
// up, but only if they are more than the limit.
func (m *Manager) limit(ctx context.Context, o owner, entries []listed, logins []*listing) ([]listed, error) {
	if m.opts.MaxUserSessions == 0 || len(logins) == 0 || len(entries) <= m.opts.MaxUserSessions {
		return entries, nil
	}
	isNew := make(map[string]bool)
	for _, l := range logins {
		isNew[l.add.ref] = true
	}
	before := slices.DeleteFunc(slices.Clone(entries), func(e listed) bool { return isNew[e.ref] })
	found, err := m.look(ctx, Managers{m}, o, before)
	if err != nil {
		return nil, err
	}
	drop := make(map[string]bool)
	var used []*looked
	unreadable := 0
	for i := range found {
		switch f := &found[i]; {
		case f.gone():
			drop[f.ref] = true
		case f.over: // another handler's: it does not count here
		case f.err != nil:
			unreadable++ // it counts, and cannot be ended
		case !f.info.Unused:
			used = append(used, f)
		}
	}
	excess := max(unreadable+len(used)+len(logins)-m.opts.MaxUserSessions, 0)
	if m.opts.RefuseLogins {
		for _, l := range logins[len(logins)-min(excess, len(logins)):] {
			l.err = ErrUserLimit
			drop[l.add.ref] = true
		}
	} else {
		slices.SortFunc(used, func(a, b *looked) int { return a.info.Used.Compare(b.info.Used) })
		used = used[:min(excess, len(used))]
		if err := atOnce(len(used), func(i int) error { return m.endForRoom(ctx, used[i]) }); err != nil {
			return nil, err
		}
		for _, f := range used {
			drop[f.ref] = f.over
		}
	}
	return slices.DeleteFunc(entries, func(e listed) bool { return drop[e.ref] }), nil
}

var errNoOthers = fmt.Errorf("%w: end-others and end-all need the option user and native records: %w", ErrInvalid, ErrNoIndex)

// endOthers ends the other sessions of the user that s has after the change, or had before a
// destroy. A change that is not valid, or whose session is over, ends none.
func (m *Manager) endOthers(ctx context.Context, s *Session, c *Change) error {
	switch {
	case m.foreign != nil || m.userField == "":
		return errNoOthers
	case c.Destroy && s.NoCookie:
		return ErrNeedsCookie
	}
	rec, key := m.born(s.Scope), s.key
	if s.Exists() {
		var err error
		if rec, key, err = m.present(ctx, s, c); err != nil || rec.State != Live {
			return err
		}
	}
	user := rec.User
	base := &rec
	edits := *c
	if c.Destroy {
		fresh := m.born(s.Scope)
		base, edits.FlashSeen = &fresh, false
	}
	a, err := m.apply(base, &edits, s.rec.Flash)
	if err != nil {
		return err
	}
	if s.later && regenerates(&a, &pending{change: c}) {
		return ErrNeedsCookie
	}
	if a.next.User != "" || !c.Destroy {
		user = a.next.User
	}
	if user == "" {
		return nil
	}
	n, err := m.endUser(ctx, Managers{m}, owner{s.Scope.String(), user}, key, nil)
	if n > 0 && m.opts.OnEndOthers != nil {
		m.opts.OnEndOthers(n) // after an error too
	}
	return err
}

// present returns the record to which the change will be made, and its key: see succession.go.
func (m *Manager) present(ctx context.Context, s *Session, c *Change) (rec Record, key string, err error) {
	p := &pending{change: c, loaded: s.rec, gen: s.rec.Gen, former: s.later}
	key = s.key
	for range maxHops {
		entry, err := m.store.Get(ctx, key)
		if err == nil {
			rec, err = m.found(key, entry)
		}
		if err != nil || m.meet(&rec, p) != led {
			return rec, key, err
		}
		key, p.gen, p.former = rec.Target, 0, true
	}
	return rec, key, errHops
}
