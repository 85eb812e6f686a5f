package sessionstore

import (
	"context"
	"fmt"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/vault"
)

// leaveReplaced removes from a record for a new id, which a change under way has made from old,
// what the successor has replaced and the change has left as it was: cookies of the vault and
// fields of [Options.RegenerateOn], and all fields if only the app's own cookies show a login.
// Otherwise a slow response that sets a harmless cookie would bring back a login that a parallel
// logout has ended. Nothing is copied from the successor, which may be another user's.
func (m *Manager) leaveReplaced(ctx context.Context, made *applied, old *Record) error {
	entry, err := m.store.Get(ctx, old.Target)
	if err != nil {
		return err
	}
	successor, err := m.found(old.Target, entry)
	if err != nil {
		return err
	}
	if successor.State != Live {
		successor = Record{Data: emptyObject}
	}
	next := &made.next
	var vaults [3]vault.Vault
	var data [3]jsondoc.Value
	for i, rec := range []*Record{old, &successor, next} {
		if vaults[i], err = openVault(rec.Vault); err != nil {
			return err
		}
		if data[i], err = jsondoc.Parse(borrow(rec.Data), jsondoc.MaxDepth); err != nil {
			return fmt.Errorf("%w: its data are damaged", ErrRecord)
		}
	}
	next.Vault = vaults[2].WithoutReplaced(vaults[0], vaults[1]).Encode()
	was, is, left := data[0], data[1], data[2]
	paths := m.opts.RegenerateOn
	if made.elevated == elevatedByVault {
		paths = nil
		for name := range was.Members() {
			paths = append(paths, jsondoc.Member(name))
		}
	}
	for _, path := range paths {
		if same(was, left, path) && !same(was, is, path) {
			if left, err = jsondoc.Remove(left, path); err != nil {
				return err
			}
		}
	}
	next.Data, next.User = lend(left.ASCII()), m.user(left)
	m.age(next)
	return nil
}

// same reports whether a field has the same value in both, or is missing in both.
func same(a, b jsondoc.Value, path jsondoc.Path) bool {
	was, had := a.Lookup(path)
	is, has := b.Lookup(path)
	return had == has && (!had || was.Equal(is))
}
