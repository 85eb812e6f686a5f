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

// maxLines is how many header lines of ours a response may have.
const maxLines = 64

// taken is what was taken out of a response.
type taken struct {
	// lines are those for the parts, by their place in the list, and nil if there are none.
	lines [][]string

	// redirect says that the response sends the browser to another page.
	redirect bool

	// app holds the values of the cookies that the app has set under our cookie's name.
	app []string
}

func (t *taken) empty() bool { return t.lines == nil && t.app == nil }

// takeFrom takes out of a response what is meant for us.
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
			x.h.logger.Warn("a session header was misspelt and is ignored", nameField(right))
		case x.h.ignored[part]:
			x.h.warnedIgnored.Do(func() {
				x.h.logger.Warn("the backend sent session headers, which are ignored: updates off")
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

// skippedParts returns which parts take nothing from this response, and nil if all do. It looks at
// the head before anything is taken out of it.
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

// takeSessionCookies takes out cookies that the backend sets under our cookie's name: only
// the proxy names a session, unless the backend shares its own with it.
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
		x.h.logger.Warn("the backend set a cookie with the session cookie's name; it is dropped")
		wire.SetLines(h, name, kept)
	}
}

// removeSessionCookies takes all cookies of our names out of a response.
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

// takePartCookies takes those cookies out of a response that are for a part, and reports whether there were any. The
// response is for one client then, though a cache no longer sees it by a Set-Cookie.
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
		case t != nil && !x.Virtual: // as without us: where the response headers go to, no browser sees a cookie
			x.add(t, part, line)
		}
		found = true
	}
	if found {
		wire.SetLines(h, name, kept)
		uncacheable(h)
	}
	return found
}

// change makes one change of all that the response asks for. Its errors name
// the header and hold none of the data.
func (x *exchange) change(t *taken) (*sessionstore.Change, error) {
	n := 0
	for i, lines := range t.lines {
		if x.h.parts[i].Takes() != "" {
			n += len(lines)
		}
	}
	if n > maxLines {
		return nil, fmt.Errorf("%w: %d session header lines, at most %d are read", sessionstore.ErrTooLarge, n, maxLines)
	}
	a := parts.Answer{Redirect: t.redirect}
	for i, p := range x.h.parts {
		if err := p.Take(&x.view, t.lines[i], &a); err != nil {
			return nil, err
		}
	}
	return &a.Change, nil
}
