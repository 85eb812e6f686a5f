package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore/vault"
)

// adoption is how the app's own session cookie is made and taken.
type adoption struct {
	adopters.Form

	// cookie is the name of the app's cookie; there is no adoption without one.
	cookie string
}

func (h *Handler) provisionAdopt(ctx caddy.Context) error {
	if h.AdoptRaw == nil {
		return nil
	}
	mod, err := ctx.LoadModule(h, "AdoptRaw")
	if err != nil {
		return fmt.Errorf("loading adopt: %w", err)
	}
	adopter, ok := mod.(adopters.Adopter)
	if !ok {
		return fmt.Errorf("module %T is not an adopter", mod)
	}
	h.adopted = adoption{adopter.Form(), adopter.CookieName()}
	switch name := h.adopted.cookie; {
	case h.format.Foreign():
		return fmt.Errorf("adopt does not go with a dialect that the app shares: there, its session is ours already")
	case !httpguts.ValidHeaderFieldName(name) || strings.Contains(name, "*"):
		return fmt.Errorf("adopt: %q is not a cookie's name", name)
	case h.cookie.names.own(name):
		return fmt.Errorf("adopt: %s is the session's own cookie; name it otherwise: cookie name", name)
	}
	// The app says which sessions outlive the browser.
	h.cookie.permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	return nil
}

// disownedNames are the cookies that no client may send: the vault's, and the app's own.
func disownedNames(patterns []string, adopted string) []string {
	if adopted == "" {
		return patterns
	}
	return append(slices.Clone(patterns), adopted)
}

// given is the session as the app is told of it.
func (x *exchange) given() sessionstore.Record {
	if !x.Session.Exists() {
		return sessionstore.Record{Data: []byte(emptyData)}
	}
	flashes, _ := x.Session.Flashes() // what is damaged, the change finds out
	return sessionstore.Record{
		Data: []byte(x.Session.Data()), Flash: sessionstore.JoinFlashes(flashes), Permanent: x.Session.Permanent(),
	}
}

// adoptedCookie makes the cookie that the app would have set for this session.
func (x *exchange) adoptedCookie() (string, error) {
	if x.h.adopted.cookie == "" {
		return "", nil
	}
	x.asked = time.Now()
	if !x.Session.Exists() {
		return "", nil
	}
	rec := x.given()
	payload, err := x.h.adopted.Codec.Encode(&rec)
	if err != nil {
		return "", x.forwarding(http.StatusInternalServerError, fmt.Errorf("the app's cookie: %w", err))
	}
	return x.h.adopted.cookie + "=" + x.h.adopted.Client.Seal(payload, x.asked), nil
}

// adopts reports whether a cookie that the backend sets is the app's session.
func (h *Handler) adopts(line string) bool {
	return h.adopted.cookie != "" && vault.NameOf(line) == h.adopted.cookie
}

// clockSkew is how far the app's clock may be from ours.
const clockSkew = time.Minute

// adopt works out what the app has changed, against what it was given, and has just that happen. The last of its
// cookies counts, as in a browser.
func (x *exchange) adopt(c *collected, change *sessionstore.Change) error {
	if len(c.adopted) == 0 {
		return nil
	}
	before := x.given()
	if x.withheld >= dataWithheld {
		before = sessionstore.Record{Data: []byte(emptyData)}
	}
	after, err := x.readAdopted(c.adopted[len(c.adopted)-1])
	if err != nil {
		return fmt.Errorf("Set-Cookie %s: %w", x.h.adopted.cookie, err)
	}
	was, err1 := jsondoc.Parse(before.Data, sessionstore.MaxDepth)
	is, err2 := jsondoc.Parse(after.Data, sessionstore.MaxDepth)
	waiting, err3 := sessionstore.ParseFlashes(before.Flash)
	left, err4 := sessionstore.ParseFlashes(after.Flash)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return fmt.Errorf("Set-Cookie %s: %w", x.h.adopted.cookie, sessionstore.ErrInvalid)
		}
	}
	if d := jsondoc.Diff(was, is, x.h.adopted.Atom); !d.Empty() {
		change.Edits = append(change.Edits, namedEdit{d, "Set-Cookie " + x.h.adopted.cookie})
		change.Login = loggedIn(was, is, c.redirect)
	}
	change.Flashes, change.Shown = sessionstore.DiffFlashes(waiting, left)
	if after.Permanent != before.Permanent {
		change.Permanent = &after.Permanent
	}
	return nil
}

// readAdopted returns the session that the app's cookie holds: an empty one, if it takes its cookie back.
func (x *exchange) readAdopted(line string) (rec sessionstore.Record, err error) {
	rec.Data = []byte(emptyData)
	cookie, err := http.ParseSetCookie(line)
	if err != nil {
		return rec, fmt.Errorf("%w: it is not a cookie", sessionstore.ErrInvalid)
	}
	now := time.Now()
	if cookie.Value == "" || cookie.MaxAge < 0 || !cookie.Expires.IsZero() && cookie.Expires.Before(now.Add(-clockSkew)) {
		return rec, nil
	}
	payload, age, _, ok := x.h.adopted.Client.Open(cookie.Value, now)
	switch {
	case !ok:
		return rec, fmt.Errorf("%w: it does not verify; is the secret of adopt the app's?", sessionstore.ErrInvalid)
	case age-clockSkew > now.Sub(x.asked):
		// A cache between the app and us answers with the cookie of whoever came first.
		return rec, fmt.Errorf("%w: it is older than the request; is it from a cache?", sessionstore.ErrInvalid)
	}
	if err := x.h.adopted.Codec.Decode(payload, &rec); err != nil {
		return rec, fmt.Errorf("%w: %w", sessionstore.ErrInvalid, err)
	}
	return rec, nil
}

// readable is the edit, after all others, that refuses data of which the app could not read its session any more.
type readable func(jsondoc.Value) error

func (check readable) Apply(doc jsondoc.Value, _ *jsondoc.Budget) (jsondoc.Value, error) {
	if err := check(doc); err != nil {
		return doc, fmt.Errorf("the app's session: %w", err)
	}
	return doc, nil
}
