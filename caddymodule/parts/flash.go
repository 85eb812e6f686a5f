package parts

import (
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Flash forwards the waiting flash messages and takes new ones, in headers of the same name.
type Flash struct {
	Header string

	// Base64 says that new messages may be encoded in base64.
	Base64 bool
}

// Forward implements [Part].
func (p *Flash) Forward(v *View, to *Forwarded) error {
	if flash := v.Session.Flash(); flash != "" && v.Omits < OmitData {
		to.Header(p.Header, jsondoc.WithoutSurrogates(flash))
	}
	return nil
}

// Takes implements [Part].
func (p *Flash) Takes() string { return p.Header }

// Take implements [Part].
func (p *Flash) Take(_ *View, lines []string, a *Answer) error {
	return eachValue(p.Header, lines, p.Base64, func(value jsondoc.Value) error {
		flash, err := sessionstore.ParseFlash(value.ASCII())
		a.Change.Flashes = append(a.Change.Flashes, flash)
		return err
	})
}

// Interface guard
var _ Part = (*Flash)(nil)
