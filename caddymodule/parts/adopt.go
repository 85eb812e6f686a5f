package parts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Adopt replaces the session cookie of an app that keeps its sessions in the cookie. The app gets
// that cookie, made from the session. When the app sets it, the session gets the changes.
type Adopt struct {
	adopters.Form

	// Cookie is the name of the app's cookie.
	Cookie string
}

// NewAdopt returns the part for an adopter. own reports whether a cookie is the session cookie.
func NewAdopt(adopter adopters.Adopter, own func(cookie string) bool) (*Adopt, error) {
	p := &Adopt{Form: adopter.Form(), Cookie: adopter.CookieName()}
	switch {
	case !httpguts.ValidHeaderFieldName(p.Cookie) || strings.Contains(p.Cookie, "*"):
		return nil, fmt.Errorf("adopt: %q is not a cookie name", p.Cookie)
	case own(p.Cookie):
		return nil, fmt.Errorf("adopt: %s is the name of the session cookie too; give that another name with the option: cookie name", p.Cookie)
	}
	return p, nil
}

// given is the session as the app gets it.
func given(v *View) sessionstore.Record {
	if !v.Session.Exists() {
		return sessionstore.Record{Data: []byte(EmptyData)}
	}
	flashes, _ := v.Session.Flashes() // saving a change reports damaged ones
	return sessionstore.Record{
		Data: []byte(v.Session.Data()), Flash: sessionstore.JoinFlashes(flashes), Permanent: v.Session.Permanent(),
	}
}

// Forward implements [Part].
func (p *Adopt) Forward(v *View, to *Forwarded) error {
	v.Asked = time.Now()
	if !v.Session.Exists() || v.Omits >= OmitData {
		return nil
	}
	rec := given(v)
	payload, err := p.Codec.Encode(&rec)
	if err != nil {
		return fmt.Errorf("the app's cookie: %w", err)
	}
	to.Cookie(p.Cookie + "=" + p.Client.Seal(payload, v.Asked.Add(-clockSkew)))
	return nil
}

// Takes implements [Part]. Adopt takes a cookie and no header.
func (*Adopt) Takes() string { return "" }

// TakesCookie implements [CookieTaker].
func (p *Adopt) TakesCookie(line string) bool { return vault.NameOf(line) == p.Cookie }

// clockSkew is the accepted difference between the app's clock and ours. The app's cookie is made
// that much older than it is: Flask takes one from the future for none.
const clockSkew = time.Minute

// Take implements [Part]. It compares the app's cookie with the one that the app got, and applies
// the difference. If the app sets the cookie several times, the last one counts, as in a browser.
func (p *Adopt) Take(v *View, lines []string, a *Answer) error {
	if lines == nil {
		return nil
	}
	before := given(v)
	if v.Omits >= OmitData {
		before = sessionstore.Record{Data: []byte(EmptyData)}
		a.replaceSession(v)
	}
	after, err := p.read(v, lines[len(lines)-1])
	if err != nil {
		return fmt.Errorf("Set-Cookie %s: %w", p.Cookie, err)
	}
	was, err1 := jsondoc.Parse(before.Data, jsondoc.MaxDepth)
	is, err2 := jsondoc.Parse(after.Data, jsondoc.MaxDepth)
	waiting, err3 := sessionstore.ParseFlashes(before.Flash)
	left, err4 := sessionstore.ParseFlashes(after.Flash)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return fmt.Errorf("Set-Cookie %s: %w", p.Cookie, sessionstore.ErrInvalid)
		}
	}
	if d := jsondoc.Diff(was, is, p.Atom); !d.Empty() {
		a.Change.Edits = append(a.Change.Edits, namedEdit{d, "Set-Cookie " + p.Cookie})
		a.Change.Login = loggedIn(was, is, a.Redirect)
	}
	a.Change.Flashes, a.Change.Shown = diffFlashes(waiting, left)
	if after.Permanent != before.Permanent {
		a.Change.Permanent = &after.Permanent
	}
	return nil
}

// diffFlashes returns the messages that are only in after, and those that are only in before. A
// message may occur several times.
func diffFlashes(before, after []sessionstore.Flash) (added, gone []sessionstore.Flash) {
	gone = slices.Clone(before)
	for _, f := range after {
		if i := slices.Index(gone, f); i >= 0 {
			gone = slices.Delete(gone, i, i+1)
		} else {
			added = append(added, f)
		}
	}
	return added, gone
}

// read returns the session in the app's cookie. It is empty if the app deletes the cookie.
func (p *Adopt) read(v *View, line string) (rec sessionstore.Record, err error) {
	rec.Data = []byte(EmptyData)
	cookie, err := http.ParseSetCookie(line)
	if err != nil {
		return rec, fmt.Errorf("%w: it is not a cookie", sessionstore.ErrInvalid)
	}
	now := time.Now()
	if cookie.Value == "" || cookie.MaxAge < 0 || !cookie.Expires.IsZero() && cookie.Expires.Before(now.Add(-clockSkew)) {
		return rec, nil
	}
	payload, age, _, ok := p.Client.Open(cookie.Value, now)
	switch {
	case !ok:
		return rec, fmt.Errorf("%w: its signature is wrong; the secret of adopt must be the app's", sessionstore.ErrInvalid)
	case age-clockSkew > now.Sub(v.Asked):
		// A cache between Caddy and the app may replay another user's cookie.
		return rec, fmt.Errorf("%w: it is older than the request, as from a cache or by a wrong clock", sessionstore.ErrInvalid)
	}
	if err := p.Codec.Decode(payload, &rec); err != nil {
		return rec, fmt.Errorf("%w: %w", sessionstore.ErrInvalid, err)
	}
	return rec, nil
}

// Readable is the last part of the list. It refuses changes that would make the session unreadable
// for the app.
type Readable struct {
	forwardsNothing
	Check func(jsondoc.Value) error
}

// Takes implements [Part].
func (Readable) Takes() string { return "" }

// Take implements [Part].
func (p Readable) Take(_ *View, _ []string, a *Answer) error {
	if len(a.Change.Edits) > 0 {
		a.Change.Edits = append(a.Change.Edits, readable(p.Check))
	}
	return nil
}

// readable is the last edit of a change. It refuses data that the app could not read.
type readable func(jsondoc.Value) error

func (check readable) Apply(doc jsondoc.Value, _ *jsondoc.Budget) (jsondoc.Value, error) {
	if err := check(doc); err != nil {
		return doc, fmt.Errorf("the app's session: %w", err)
	}
	return doc, nil
}

// Interface guards
var (
	_ Part        = (*Adopt)(nil)
	_ CookieTaker = (*Adopt)(nil)
	_ Part        = Readable{}
)
