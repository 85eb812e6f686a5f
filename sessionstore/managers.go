package sessionstore

import (
	"context"
	"fmt"
	"slices"
)

// Managers are the managers of all handlers that may share sessions, each with its own options. An
// operator uses none of these handlers, so all of them decide: a session is live if it is live for
// one of them.
type Managers []*Manager

// With returns these managers and m. m replaces a manager that decides in the same way.
func (ms Managers) With(m *Manager) Managers {
	if i := slices.IndexFunc(ms, m.alike); i >= 0 {
		ms[i] = m
		return ms
	}
	return append(ms, m)
}

// alike reports whether two managers decide in the same way about every session.
func (m *Manager) alike(other *Manager) bool {
	a, b := &m.opts, &other.opts
	return m.userField == other.userField && a.IdleTimeout == b.IdleTimeout && a.AnonymousTimeout == b.AnonymousTimeout &&
		a.AbsoluteTimeout == b.AbsoluteTimeout && a.RegenerateUnused == b.RegenerateUnused && a.TouchInterval == b.TouchInterval
}

// Describe is [Manager.Describe]. The times are those of the manager that seems to have saved the
// session, and the user is who is on the list of a user's sessions for it.
func (ms Managers) Describe(ref string, entry Entry) (info Info, live bool, err error) {
	if len(ms) == 1 {
		return ms[0].Describe(ref, entry)
	}
	var saved bool
	for _, m := range ms {
		i, is, err := m.Describe(ref, entry)
		if err != nil {
			return Info{}, false, err
		}
		by := is && m.saved(entry)
		better := by && !saved || by == saved && i.Expires.After(info.Expires)
		if i.OnlyCookies != info.OnlyCookies {
			better = info.OnlyCookies // for this one the whole session is live
		}
		if is && (!live || better) {
			info, live, saved = i, true, by
		}
	}
	if live && !info.OnlyCookies {
		_, info.User = ms.whose(entry.Value)
	}
	return info, live, nil
}

// saved reports whether m may have saved a record, as far as the record shows.
func (m *Manager) saved(entry Entry) bool {
	var rec Record
	return m.decode(entry.Value, &rec) == nil && rec.UserField == m.userField && rec.Idle == m.idle(&rec)
}

// whose returns the user of a session, and the manager that lists it for the user: the one whose
// field of the data said so when the session was saved, or else one whose field says so now.
func (ms Managers) whose(value []byte) (by *Manager, user string) {
	for _, m := range ms {
		var rec Record
		if m.userField == "" || m.decode(value, &rec) != nil {
			continue
		}
		if rec.UserField == m.userField {
			return m, rec.User
		}
		if by == nil && rec.User != "" {
			by, user = m, rec.User
		}
	}
	return by, user
}

// owns is for a session that is over for the managers, or belongs to another user. Another handler
// may have saved it, with longer timeouts or for another field of the data. owns reports whether
// the session stays on the list of the user, and whether it ends with the user's other sessions.
func (ms Managers) owns(o owner, entry Entry) (stays, ends bool) {
	var rec Record
	m := ms[0]
	if m.opts.Codec.Decode(entry.Value, &rec) != nil || rec.State != Live || rec.Scope != o.scope {
		return false, false
	}
	left := entry.TTL - (rec.kept() - rec.Idle)
	if !rec.Until.IsZero() {
		left = rec.Until.Sub(m.opts.Now())
	}
	if left <= 0 {
		return false, false
	}
	_, user := ms.whose(entry.Value)
	ends = user == o.user
	return ends || rec.User == o.user || slices.ContainsFunc(ms, func(m *Manager) bool { return m.userIn(rec.Data) == o.user }), ends
}

// lister returns a manager that lists the sessions of users, or nil.
func (ms Managers) lister() *Manager {
	i := slices.IndexFunc(ms, func(m *Manager) bool { return m.foreign == nil && m.userField != "" })
	if i < 0 {
		return nil
	}
	return ms[i]
}

// ListsUsers reports whether the sessions of users are listed. Otherwise their errors are
// [ErrNoIndex].
func (ms Managers) ListsUsers() bool { return ms.lister() != nil }

// UserSessions is [Manager.UserSessions].
func (ms Managers) UserSessions(ctx context.Context, scope Scope, user string, known ...string) ([]Info, error) {
	m := ms.lister()
	if m == nil {
		return nil, ErrNoIndex
	}
	return m.userSessions(ctx, ms, owner{scope.String(), user}, known)
}

// EndUser is [Manager.EndUser].
func (ms Managers) EndUser(ctx context.Context, scope Scope, user, except string, known ...string) (int, error) {
	m := ms.lister()
	if m == nil {
		return 0, ErrNoIndex
	}
	n, err := m.endUser(ctx, ms, owner{scope.String(), user}, own{except: never}, known)
	if err != nil {
		return n, fmt.Errorf("ending a user's sessions: %w", err)
	}
	return n, nil
}

// List adds a session to the list of its user's sessions. Call it after a record was saved under
// key without a manager. Otherwise the session is listed only when it is used. An error wraps
// [ErrUnavailable] or [ErrRecord], or is that of the context.
func (ms Managers) List(ctx context.Context, key string, value []byte) error {
	m, _ := ms.whose(value)
	if m == nil {
		return nil
	}
	var rec Record
	if err := m.decode(value, &rec); err != nil {
		return err
	}
	return m.list(ctx, key, &rec, false)
}
