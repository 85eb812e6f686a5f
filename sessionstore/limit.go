package sessionstore

import (
	"context"
	"errors"
	"slices"
)

// ErrUserLimit means that a login was refused, because the user has [Options.MaxUserSessions]
// sessions already.
var ErrUserLimit = errors.New("the user has too many sessions")

// limit keeps a user's sessions within [Options.MaxUserSessions] when there are new logins, which
// are at the end of entries. It returns the entries that are left. All that are listed are looked
// up, but only if they are more than the limit, and without those that the logins replace.
func (m *Manager) limit(ctx context.Context, o owner, entries []listed, logins []*listing) ([]listed, error) {
	if m.opts.MaxUserSessions == 0 || len(logins) == 0 || len(entries) <= m.opts.MaxUserSessions {
		return entries, nil
	}
	apart := make(map[string]bool)
	for _, l := range logins {
		apart[l.add.ref], apart[l.pred] = true, true
	}
	found, err := m.look(ctx, Managers{m}, o, notSpared(entries, apart))
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
