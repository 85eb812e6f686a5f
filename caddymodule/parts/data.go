package parts

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	forwardAll  = "*"
	forwardNone = "none"
)

// ForwardOption is the option forward.
func ForwardOption(to *[]string) config.Option {
	return config.Words(to).Also(func() error { return new(SessionData).SetFields(*to) })
}

// Forwards reports whether the option forward names any fields.
func Forwards(fields []string) bool { return !slices.Equal(fields, []string{forwardNone}) }

// SessionData forwards the session's data in one header and takes changes of them from another.
type SessionData struct {
	// Header and Update are the names of the two headers.
	Header, Update string

	// Limit is the maximum size of forwarded data in bytes. 0 means no limit.
	Limit int

	// Base64 says that the data are encoded in base64. Updates may be, too.
	Base64 bool

	// all says that all fields are forwarded. Otherwise only those in fields are.
	all    bool
	fields []jsondoc.Path
}

// SetFields sets the fields to forward. No fields means all.
func (p *SessionData) SetFields(fields []string) (err error) {
	if len(fields) == 0 {
		fields = []string{forwardAll}
	}
	for _, field := range fields {
		switch {
		case field != forwardAll && field != forwardNone:
		case len(fields) > 1:
			return fmt.Errorf("forward: %s cannot be combined with other values", field)
		default:
			p.all = field == forwardAll
			return nil
		}
	}
	p.fields, err = ParseFields("forward", fields)
	return err
}

// EmptyData are the data of a request without a session.
const EmptyData = "{}"

// Forward implements [Part].
func (p *SessionData) Forward(v *View, to *Forwarded) error {
	data := EmptyData
	if v.Session.Exists() && v.Omits < OmitData {
		data = jsondoc.WithoutSurrogates(v.Session.Data())
		if p.Limit > 0 && len(data) > p.Limit {
			return fmt.Errorf("its data are %d bytes, at most %d are forwarded", len(data), p.Limit)
		}
		if !p.all {
			doc, err := v.Data()
			if err != nil {
				return err
			}
			data = string(jsondoc.Select(doc, p.fields).AppendASCII(nil))
		}
	}
	to.Header(p.Header, p.encode(data))
	return nil
}

func (p *SessionData) encode(data string) string {
	if !p.Base64 {
		return data
	}
	return base64.StdEncoding.EncodeToString(jsondoc.AppendUTF8(nil, []byte(data)))
}

// Takes implements [Part].
func (p *SessionData) Takes() string { return p.Update }

// Take implements [Part].
func (p *SessionData) Take(_ *View, lines []string, a *Answer) error {
	return eachValue(p.Update, lines, p.Base64, func(value jsondoc.Value) error {
		edit, err := jsondoc.ParseEdit(value)
		if err != nil {
			return fmt.Errorf("%w: %w", sessionstore.ErrInvalid, err)
		}
		a.Change.Edits = append(a.Change.Edits, namedEdit{edit, p.Update})
		return nil
	})
}

// Interface guard
var _ Part = (*SessionData)(nil)
