package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxLines is the maximum number of session header lines in a response.
const maxLines = 64

// taken is what was removed from a response.
type taken struct {
	// lines are the header lines for the parts, by place in the list. nil if there are none.
	lines [][]string

	// redirect says that the response sends the browser to another page.
	redirect bool

	// app holds the values of session cookies that the app has set itself.
	app []string
}

func (t *taken) empty() bool { return t.lines == nil && t.app == nil }

// takeFrom removes from a response what is meant for the session handler, and returns it.
func (x *exchange) takeFrom(h http.Header, status int) taken {
	t := taken{redirect: parts.Redirects(status, h)}
	names, skipped := &x.h.names, x.h.skippedParts(status, h)
	for name, values := range h {
		mark := names.response.Find(name)
		switch mark {
		case 0:
			continue
		case setCookieMark:
			if strings.EqualFold(name, "Set-Cookie") {
				x.takeSessionCookies(h, name, values, &t)
				x.takePartCookies(h, name, &t)
			}
			continue
		case trailerMark:
			if kept, removed := wire.RemoveTokens(values, names.response.notInTrailers); removed {
				h[name] = kept
				x.h.logger.Warn("session headers in trailers are ignored")
			}
			continue
		}
		delete(h, name)
		part := mark - 1
		switch right := x.h.parts[part].Takes(); {
		case !strings.EqualFold(name, right):
			x.h.logger.Warn("a misspelt session header is ignored", nameField(right))
		case x.h.ignored[part]:
			x.h.warnedIgnored.Do(func() {
				x.h.logger.Warn("the app sent session headers, which are ignored: updates off")
			})
		case skipped == nil || !skipped[part]:
			x.add(&t, part, values...)
		}
	}
	return t
}

// add adds lines for a part.
func (x *exchange) add(t *taken, part int, lines ...string) {
	if t.lines == nil {
		t.lines = make([][]string, len(x.h.parts))
	}
	t.lines[part] = append(t.lines[part], lines...)
}

// skippedParts returns which parts take nothing from this response. nil if all parts take from it.
// It must see the headers before anything is removed.
func (h *Handler) skippedParts(status int, head http.Header) []bool {
	if !h.hasChooser {
		return nil
	}
	out := make([]bool, len(h.parts))
	for i, p := range h.parts {
		if c, ok := p.(parts.Chooser); ok {
			out[i] = !c.TakesFrom(status, head)
		}
	}
	return out
}

// takeSessionCookies removes session cookies that the app sets: only the proxy may set them, unless
// the app shares the cookie.
func (x *exchange) takeSessionCookies(h http.Header, name string, values []string, t *taken) {
	var kept []string
	for _, v := range values {
		switch set, value := wire.ParseSetCookie(v); {
		case !x.h.cookie.Names.Own(set):
			kept = append(kept, v)
		case x.h.cookie.PassThrough && set == x.cookieName():
			kept = append(kept, v)
			t.app = append(t.app, value)
		}
	}
	if len(kept) < len(values) {
		x.h.logger.Warn("the app set a cookie with the session cookie's name; it is removed")
		wire.SetLines(h, name, kept)
	}
}

// removeSessionCookies removes all session cookies from a response.
func (x *exchange) removeSessionCookies(h http.Header) {
	for name, lines := range h {
		if strings.EqualFold(name, "Set-Cookie") {
			wire.SetLines(h, name, slices.DeleteFunc(lines, func(line string) bool {
				set, _ := wire.ParseSetCookie(line)
				return x.h.cookie.Names.Own(set)
			}))
		}
	}
}

// takePartCookies removes the cookies that a part takes, and reports whether there were any. It
// keeps shared caches from the response: it is for one client, but they can no longer tell by a
// Set-Cookie. The client's own cache keeps it as without the proxy: some apps, as pgAdmin, set
// their cookie with every script and picture.
func (x *exchange) takePartCookies(h http.Header, name string, t *taken) (found bool) {
	if !x.h.hasCookieTaker {
		return false
	}
	var kept []string
	for _, line := range h[name] {
		part := slices.IndexFunc(x.h.parts, func(p parts.Part) bool {
			c, ok := p.(parts.CookieTaker)
			return ok && c.TakesCookie(line)
		})
		switch {
		case part < 0:
			kept = append(kept, line)
			continue
		case t != nil && !x.Virtual: // templates discards the headers of its sub-requests
			x.add(t, part, line)
		}
		found = true
	}
	if found {
		wire.SetLines(h, name, kept)
		private(h)
	}
	return found
}

func tooManyLines(n int) error {
	return fmt.Errorf("%w: %d session header lines, at most %d are read", sessionstore.ErrTooLarge, n, maxLines)
}

// change collects what the response asks for into one change. Its errors name the header and
// contain no data.
func (x *exchange) change(t *taken) (*sessionstore.Change, error) {
	n := 0
	for i, lines := range t.lines {
		if x.h.parts[i].Takes() != "" {
			n += len(lines)
		}
	}
	if n > maxLines {
		return nil, tooManyLines(n)
	}
	a := parts.Answer{Redirect: t.redirect}
	for i, p := range x.h.parts {
		if err := p.Take(&x.view, t.lines[i], &a); err != nil {
			return nil, err
		}
	}
	return &a.Change, nil
}
