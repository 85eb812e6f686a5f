package sessionstore

import (
	"context"
	"fmt"
)

// How the other sessions of a user end, and the user's own session goes on.
//
// A user who clicks twice on "change password" sends two requests with one cookie. Each ends the
// other sessions and makes a new id, and the browser keeps the cookie of the last response. So the
// new id of the other request must stay valid. These records belong to the user's own session:
//
//   - the one that the request has loaded. It ends when a new id is used, or at its Until.
//   - those that the change is led to
//   - those of new ids that succeed one of these, until the new id is used. If the change makes a
//     new id itself, only those that were made after the session was loaded.
//
// All other records end. A thief of the old cookie may have made a new id with it. That id existed
// when the user's session was loaded, so it ends. The old cookie ends with the first use of the
// user's new id. A thief who makes a new id while the request is under way is spared, but gains
// nothing: the same is possible a moment later with the old id, which must stay valid until the
// user has got the new one. A change that makes no new id leaves the thief in the session anyway,
// with the old cookie.

// own are the keys of the records of one session. A record that succeeds one of them and whose id
// was not used belongs to the session too, if its Idx is larger than the number here.
type own map[string]uint64

func (o own) has(key string) bool {
	_, ok := o[key]
	return ok
}

// spares reports whether a session belongs to this one because it succeeds one of its records.
func (o own) spares(i *Info) bool {
	made, ok := o[i.pred]
	return ok && i.Unused && i.idx > made
}

// never is a Gen that no record has: a change that comes with it is led nowhere, and no successor
// is newer.
const never = 1<<64 - 1

var errNoOthers = fmt.Errorf("%w: end-others and end-all need the option user and native records: %w", ErrInvalid, ErrNoIndex)

// EndOthers ends the other sessions of the user of s, as [Change.EndOthers] does. Errors are those
// of [Manager.EndUser]. It calls [Options.OnEndOthers].
func (m *Manager) EndOthers(ctx context.Context, s *Session) error {
	if err := m.endOthers(ctx, s, new(Change)); err != nil {
		return fmt.Errorf("ending a user's sessions: %w", err)
	}
	return nil
}

// endOthers ends the other sessions of the user that s has after the change, or had before a
// destroy. A change that will be refused, or whose session is over, ends none.
func (m *Manager) endOthers(ctx context.Context, s *Session, c *Change) error {
	if m.foreign != nil || m.userField == "" {
		return errNoOthers
	}
	user, mine, err := m.foresee(ctx, s, c)
	if err != nil || user == "" {
		return err
	}
	n, err := m.endUser(ctx, Managers{m}, owner{s.Scope.String(), user}, mine, nil)
	if n > 0 && m.opts.OnEndOthers != nil {
		m.opts.OnEndOthers(n) // after an error too
	}
	return err
}

// foresee returns which user the session will have after the change, or had before a destroy, and
// which records are its own. There is no user if the change will be dropped. The error is the one
// with which the change would be refused. It writes nothing.
func (m *Manager) foresee(ctx context.Context, s *Session, c *Change) (user string, mine own, err error) {
	mine = make(own)
	if s.Exists() {
		p := changing(ctx, s, c)
		if c.Destroy {
			p.change = &Change{Destroy: true}
		}
		if user, err = m.foreseeIn(ctx, s.key, p, mine); err != nil || user == "" && !c.Destroy {
			return "", nil, err
		}
	}
	if !s.Exists() || c.Destroy {
		if c.Destroy {
			c = c.afterDestroy()
		}
		rec, err := m.beginning(s, c)
		if err == nil && rec.State == Live {
			err = m.fit(&rec)
		}
		if err != nil {
			return "", nil, err
		}
		if rec.User != "" {
			user = rec.User
		}
	}
	return user, mine, nil
}

// foreseeIn is foresee for a change to an existing session.
func (m *Manager) foreseeIn(ctx context.Context, key string, p *pending, mine own) (user string, err error) {
	for range maxHops {
		entry, err := m.get(ctx, key)
		var rec Record
		if err == nil {
			rec, err = m.found(key, entry)
		}
		if err != nil {
			return "", err
		}
		pl := plan{next: rec}
		m.add(&pl, p, 0)
		if mine[key] = 0; p.change.Destroy {
			mine[key] = never // a destroy spares nothing
		}
		switch {
		case p.next != "":
			key = p.goesOn()
			continue
		case p.err != nil || p.outcome.Result == Dropped:
			return "", p.err
		case pl.newID:
			mine[key] = p.gen
			heir, old := m.heirOf(key, &rec, &pl.made), m.succeeded(&rec, key, &pl.made, p.change)
			return heir.User, m.fit(&heir, &old)
		default:
			return pl.next.User, m.fit(&pl.next)
		}
	}
	return "", errHops
}

// fit refuses records that are too large to be saved.
func (m *Manager) fit(records ...*Record) error {
	for _, rec := range records {
		if _, err := m.encode(rec); err != nil {
			return err
		}
	}
	return nil
}
