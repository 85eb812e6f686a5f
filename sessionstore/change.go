package sessionstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/vault"
)

// Change is all that one response asks for. A commit makes all of it or nothing. It may be
// committed once.
type Change struct {
	// Edits change the data, in this order.
	Edits []Edit

	// Flashes are messages to add, in this order.
	Flashes []Flash

	// Vault are cookies that the app has set, in this order. The session keeps them instead of the
	// client.
	Vault []vault.Received

	// FlashSeen removes the messages that the session had when it was loaded: those of the
	// categories in FlashCategories, or all if that is nil.
	FlashSeen       bool
	FlashCategories []string

	// Shown are messages to remove. Each is removed once.
	Shown []Flash

	// Regenerate gives the session a new id.
	Regenerate bool

	// Login says that the edits come from the app's own session, and that they look like a login:
	// if they change the data, the session gets a new id.
	Login bool

	// Destroy ends the session. If there are edits or messages too, they begin a new one.
	Destroy bool

	// EndOthers ends all other sessions of the user that the session has after the change, or, with
	// Destroy, had before it. They end first. It needs [Options.User] and the native format.
	EndOthers bool

	// First, if it is not nil, is called with Destroy, before the session ends and when nothing can
	// refuse the change any more. It ends other sessions of the client. After an error, the session
	// goes on.
	First func(context.Context) error

	// Permanent, if it is not nil, says whether the session's cookie outlives the browser.
	Permanent *bool

	// IdleTimeout, if it is not nil, is the session's own idle timeout. Zero means the default
	// again.
	IdleTimeout *time.Duration
}

// Empty reports whether the change asks for nothing.
func (c *Change) Empty() bool {
	return !c.fills() && !c.FlashSeen && len(c.Shown) == 0 && !c.Regenerate && !c.Destroy && !c.EndOthers && c.Permanent == nil && c.IdleTimeout == nil
}

// fills reports whether the change can put something into a session.
func (c *Change) fills() bool { return len(c.Edits) > 0 || len(c.Flashes) > 0 || len(c.Vault) > 0 }

// applied is the result of a change of a record.
type applied struct {
	next Record

	// changed says that the record must be saved.
	changed bool

	// elevated says whether a new id is needed, and why.
	elevated elevation
}

// elevation is a reason for a new id, beside [Change.Regenerate]. The larger one counts.
type elevation uint8

const (
	notElevated elevation = iota
	// elevatedByVault means that only the app's own cookies look like a login: those of the vault,
	// or an adopted session. Apps write them again for other reasons too, so a lost response must
	// not end the old id.
	elevatedByVault
	// elevatedByField means that a field of [Options.RegenerateOn] has changed.
	elevatedByField
)

// apply makes the change on a copy of rec. given are the messages that the request was given.
func (m *Manager) apply(rec *Record, c *Change, given []byte) (applied, error) {
	a := applied{next: *rec}
	next := &a.next
	next.State = Live

	if len(c.Edits) > 0 {
		before, err := jsondoc.Parse(borrow(rec.Data), jsondoc.MaxDepth)
		if err != nil {
			return a, fmt.Errorf("%w: its data are damaged", ErrRecord)
		}
		after, err := m.edit(before, c.Edits)
		if err != nil {
			return a, err
		}
		next.Data = lend(after.ASCII())
		if len(next.Data) > m.opts.MaxSize && len(next.Data) >= len(rec.Data) && !bytes.Equal(next.Data, rec.Data) {
			return a, fmt.Errorf("%w: the data would be %d bytes, at most %d are kept", ErrTooLarge, len(next.Data), m.opts.MaxSize)
		}
		a.elevated = m.elevated(before, after)
		next.User = m.user(after)
		if c.Login && !after.Equal(before) {
			a.elevated = max(a.elevated, elevatedByVault)
		}
	}

	err := m.applyVault(&a, c)
	if err != nil {
		return a, err
	}
	if next.Flash, err = c.applyFlashes(rec.Flash, given); err != nil {
		return a, err
	}
	if c.Permanent != nil {
		next.Permanent = *c.Permanent
	}
	if c.IdleTimeout != nil {
		if m.foreign != nil {
			return a, errNoOwnIdle
		}
		next.OwnIdle, next.Idle = *c.IdleTimeout > 0, *c.IdleTimeout
	}
	next.Idle = m.idle(next)
	next.notFromTheFuture(m.opts.Now())
	m.age(next)
	if next.Empty() {
		next.State = Ended
	}
	a.changed = next.State != rec.State || next.Permanent != rec.Permanent || next.OwnIdle != rec.OwnIdle ||
		c.IdleTimeout != nil && next.Idle != rec.Idle ||
		!bytes.Equal(next.Data, rec.Data) || !bytes.Equal(next.Flash, rec.Flash) || !bytes.Equal(next.Vault, rec.Vault)
	return a, nil
}

var errNoOwnIdle = fmt.Errorf("%w: in the format of another program, no session has an idle timeout of its own", ErrInvalid)

func (m *Manager) edit(doc jsondoc.Value, edits []Edit) (jsondoc.Value, error) {
	budget := jsondoc.NewBudget(growth * max(m.opts.MaxSize, doc.Size()))
	for _, e := range edits {
		var err error
		if doc, err = e.Apply(doc, budget); err != nil {
			if errors.Is(err, jsondoc.ErrTooLarge) {
				return doc, fmt.Errorf("%w: %w", ErrTooLarge, err)
			}
			return doc, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if doc.Kind() != jsondoc.Object {
		return doc, fmt.Errorf("%w: the result is not a JSON object", ErrInvalid)
	}
	return doc, nil
}

func (m *Manager) elevated(before, after jsondoc.Value) elevation {
	for _, path := range m.opts.RegenerateOn {
		if !same(before, after, path) {
			return elevatedByField
		}
	}
	return notElevated
}
