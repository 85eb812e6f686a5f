package sessionstore

import (
	"fmt"

	"github.com/caddy-session/caddy-session/internal/vault"
)

// Vault returns the cookies that the session keeps instead of the client. An error wraps
// [ErrRecord].
func (s *Session) Vault() (vault.Vault, error) { return openVault(s.rec.Vault) }

func openVault(stored []byte) (vault.Vault, error) {
	v, err := vault.Decode(stored)
	if err != nil {
		return v, fmt.Errorf("%w: its cookies are damaged", ErrRecord)
	}
	return v, nil
}

// applyVault changes the cookies in the vault. Some of them may show a login of an app that does
// not know this session's id.
func (m *Manager) applyVault(a *applied, c *Change) error {
	if len(c.Vault) == 0 {
		return nil
	}
	if m.foreign != nil {
		return errNoVault
	}
	v, err := openVault(a.next.Vault)
	if err != nil {
		return err
	}
	v, newID, err := v.Apply(c.Vault, m.opts.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	a.next.Vault = v.Encode()
	if newID {
		a.elevated = max(a.elevated, elevatedByVault)
	}
	return nil
}

var errNoVault = fmt.Errorf("%w: the format of another program has no place for the app's cookies", ErrInvalid)

// changeFor returns the change of p for rec. A change that was led here sets only those cookies of
// the vault that are still as its request got them. It must not bring back a cookie that a login or
// logout of the successor has replaced.
func (p *pending) changeFor(rec *Record) (*Change, error) {
	if !p.former || len(p.change.Vault) == 0 {
		return p.change, nil
	}
	given, err := openVault(p.loaded.Vault)
	if err != nil {
		return nil, err
	}
	now, err := openVault(rec.Vault)
	if err != nil {
		return nil, err
	}
	c := *p.change
	c.Vault = now.Unchanged(given, c.Vault)
	return &c, nil
}
