package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore/vault"
)

// disown removes the cookies from the request that a client sends under names of the vault or of the app's session, which
// are the backend's alone, or under ours as only some servers read it. Those that a handler of outer has put there are
// none of the client's. For broken, see [vault.Patterns.Reader].
func disown(r *http.Request, patterns *vault.Patterns, outer *exchange, broken bool) {
	if r.Header["Cookie"] == nil {
		return
	}
	reader := patterns.Reader(broken)
	removeCookies(r.Header, func(pair string) bool {
		return reader.Forges(pair) && !outer.disowns(pair)
	})
}

// disowns reports whether a handler that is at work on this request has taken what the client sent under the name of
// this cookie.
func (x *exchange) disowns(pair string) bool {
	for ; x != nil; x = x.outer {
		if reader := x.h.disowned.Reader(false); !x.ended && reader.Forges(pair) {
			return true
		}
	}
	return false
}

// forwardCookies gives the backend the cookies that the session keeps or stands for. They come first, since many servers
// take the first of a name, and in one line with the client's, since FastCGI has room for one only.
func (x *exchange) forwardCookies() error {
	var err error
	if x.adopted, err = x.adoptedCookie(); err == nil {
		x.vaulted, err = x.vaultCookies()
	}
	if err != nil {
		x.removeForwarded()
		return err
	}
	if strings.ContainsAny(x.vaulted+x.adopted, `"\`) {
		disown(x.r, &x.h.disowned, x.outer, true)
	}
	if x.h.cookie.mark && (x.Session.Exists() || x.unavailable) {
		x.marked = x.cookieName() + "=1"
	}
	x.addCookies()
	return nil
}

// addCookies puts into the Cookie header what is not withheld, in the place of what it has put there before.
func (x *exchange) addCookies() {
	x.withdrawCookies()
	var room [4]string
	cookies := room[:0]
	for _, c := range []struct {
		text  string
		until withheld
	}{{x.marked, allWithheld + 1}, {x.vaulted, cookiesWithheld}, {x.adopted, dataWithheld}} {
		if c.text != "" && x.withheld < c.until {
			cookies = append(cookies, c.text)
		}
	}
	if x.added = strings.Join(cookies, "; "); x.added == "" {
		return
	}
	h := x.r.Header
	h["Cookie"] = []string{strings.Join(append(cookies, h["Cookie"]...), "; ")}
}

// withdrawCookies takes back what forwardCookies has set.
func (x *exchange) withdrawCookies() {
	if x.added == "" {
		return
	}
	h, added := x.r.Header, x.added
	x.added = ""
	for i, line := range h["Cookie"] {
		before, after, found := strings.Cut(line, added)
		if !found {
			continue
		}
		if kept := before + strings.TrimPrefix(after, "; "); kept != "" {
			h["Cookie"][i] = kept
		} else if h["Cookie"] = slices.Delete(h["Cookie"], i, i+1); len(h["Cookie"]) == 0 {
			delete(h, "Cookie")
		}
		return
	}
}
