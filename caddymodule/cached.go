package caddymodule

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// ignoreCached ignores the session headers and cookies of a response that comes from a cache
// between Caddy and the app, because it may be the response to another user: a replayed login would
// log this user in as the other one. The response to an unsafe method always counts, as no cache
// may answer that (RFC 9111, section 4).
func (x *exchange) ignoreCached(h http.Header, t *taken) {
	if t.empty() || !cached(x.r.Method, h) {
		return
	}
	x.h.outages.Warn("session headers in a response from a cache are ignored, as it may be another user's; the app must send Vary: X-Session-Data")
	x.removeSessionCookies(h)
	*t = taken{}
}

// cached reports whether the headers of a response say that it comes from a cache.
func cached(method string, h http.Header) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	for name, lines := range h {
		var says func(string) bool
		switch strings.ToLower(name) {
		case "age": // several caches make a list; Varnish 7.1 sends 0 if it has not cached
			says = func(line string) bool { return wire.AnyToken(line, old) }
		case "x-varnish": // a second id is of the request that filled the cache
			says = func(line string) bool { return len(strings.Fields(line)) > 1 }
		case "cache-status":
			says = cacheStatus
		case "x-cache", "cf-cache-status":
			says = saysHit
		default:
			continue
		}
		if slices.ContainsFunc(lines, says) {
			return true
		}
	}
	return false
}

// old reports whether an Age is a number above 0.
func old(age string) bool {
	seconds, _ := strconv.ParseUint(age, 10, 64) // out of range: the largest value
	return seconds > 0
}

// cacheStatus reads a line of Cache-Status (RFC 9211). A line in another form is read by saysHit.
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
		// A revalidated response has the headers of the stored one. A collapsed one answers several
		// requests.
		if is("hit", true) || is("collapsed", true) || is("fwd", httpsfv.Token("stale")) && is("fwd-status", int64(http.StatusNotModified)) {
			return true
		}
		if name, ok := item.Value.(httpsfv.Token); ok && len(item.Params.Names()) == 0 && saysHit(string(name)) {
			return true // nginx's $upstream_cache_status
		}
	}
	return false
}

// saysHit reports whether a word in a text means a cache hit: HIT, TCP_MEM_HIT, "RefreshHit from
// cloudfront".
func saysHit(text string) bool {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch strings.ToLower(word) {
		case "hit", "refreshhit", "stale", "updating", "revalidated":
			return true
		}
	}
	return false
}
