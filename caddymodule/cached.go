package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// ignoreCached takes away what a response asks for that comes from a cache between Caddy and the app: it may have been made for
// somebody else. That goes for cookies as well: a login in somebody else's name is one, whatever brings it. The answer to an
// unsafe method always counts, as no cache may give one of its own (RFC 9111, section 4).
func (x *exchange) ignoreCached(h http.Header, t *taken) {
	if t.empty() || !cached(x.r.Method, h) {
		return
	}
	x.h.outages.Warn("session headers of a response from a cache are ignored: it may have been made for somebody else; tell the cache that it depends on the session: Vary: X-Session-Data")
	x.removeSessionCookies(h)
	*t = taken{}
}

// cached reports whether a response says that a cache has kept it, or how long it was kept.
func cached(method string, h http.Header) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	for name, lines := range h {
		var says func(string) bool
		switch strings.ToLower(name) {
		case "age": // Varnish 7.1 sends 0 with what is not cached, too
			says = func(line string) bool { return wire.AnyToken(line, old) } // a list, where caches stand in a row
		case "x-varnish": // of this request, and of the one that fetched the response
			says = func(line string) bool { return len(strings.Fields(line)) > 1 }
		case "cache-status":
			says = cacheStatus
		case "x-cache", "cf-cache-status":
			says = saysHit
		default:
			continue
		}
		for _, line := range lines {
			if says(line) {
				return true
			}
		}
	}
	return false
}

// old reports whether an age is above 0, as far as that is one.
func old(age string) bool {
	seconds, _ := strconv.ParseUint(age, 10, 64) // what is too large is the largest
	return seconds > 0
}

// cacheStatus reads a line of RFC 9211, and what is none as saysHit does.
func cacheStatus(line string) bool {
	list, err := httpsfv.UnmarshalList([]string{line})
	if err != nil {
		return saysHit(line)
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return saysHit(line)
		}
		is := func(parameter string, value any) bool {
			got, found := item.Params.Get(parameter)
			return found && got == value
		}
		// What was revalidated has the headers of the response that was kept, and a collapsed one was for several requests.
		if is("hit", true) || is("collapsed", true) || is("fwd", httpsfv.Token("stale")) && is("fwd-status", int64(http.StatusNotModified)) {
			return true
		}
		if name, ok := item.Value.(httpsfv.Token); ok && len(item.Params.Names()) == 0 && saysHit(string(name)) {
			return true // nginx's $upstream_cache_status
		}
	}
	return false
}

// saysHit reports whether one of the words in a text says that the response was kept: HIT, TCP_MEM_HIT, "RefreshHit from cloudfront".
func saysHit(text string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch strings.ToLower(word) {
		case "hit", "refreshhit", "stale", "updating", "revalidated":
			return true
		}
	}
	return false
}
