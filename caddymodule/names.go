package caddymodule

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// names are the header names of a handler, in their canonical form.
type names struct {
	data, info, flash, update, control, explain, lateURL string

	// request are the names that no client may send. response are the names that the app may send
	// and no client gets.
	request  wire.Names
	response responseNames
}

func (n *names) set(prefix string) {
	n.data = http.CanonicalHeaderKey(prefix + "Data")
	n.info = http.CanonicalHeaderKey(prefix + "Info")
	n.flash = http.CanonicalHeaderKey(prefix + "Flash")
	n.update = http.CanonicalHeaderKey(prefix + "Update")
	n.control = http.CanonicalHeaderKey(prefix + "Control")
	n.explain = http.CanonicalHeaderKey(prefix + "Explain")
	n.lateURL = http.CanonicalHeaderKey(prefix + "Late")
}

// guarded returns the names that no client may send.
func (n *names) guarded(inject map[string]string) []string {
	guarded := append(make([]string, 0, 7+len(inject)), n.data, n.info, n.flash, n.update, n.control, n.explain, n.lateURL)
	for name := range inject {
		guarded = append(guarded, name)
	}
	return guarded
}

// withheld returns the names that the app may send and no client gets.
func (n *names) withheld(capture map[string]parts.Capture) []string {
	return append([]string{n.flash, n.update, n.control, n.explain, n.lateURL}, slices.Sorted(maps.Keys(capture))...)
}

// late returns the names of the lines of a late change.
func (n *names) late() []string { return []string{n.update, n.flash, n.control, n.lateURL} }

// own returns the names of the session headers, which inject and capture may not use.
func (n *names) own() (set wire.Names) {
	for _, name := range n.guarded(nil) {
		set.Add(name, ours)
	}
	return set
}

// The kinds of response headers. The header of a part has the part's place in the list as its kind,
// from 1 on.
const (
	setCookieMark = -1 - iota
	trailerMark
)

// responseNames is the set of response headers that no client gets, together with Set-Cookie and
// Trailer, which are only cleaned.
type responseNames struct{ wire.Names }

func newResponseNames() responseNames {
	var s responseNames
	s.Add("Set-Cookie", setCookieMark)
	s.Add("Trailer", trailerMark)
	return s
}

// ours reports whether no client gets this header.
func (s *responseNames) ours(name string) bool { return s.Find(name) > 0 }

// notInTrailers reports whether a name must not reach the client in the trailers: a session header,
// or Set-Cookie, which browsers ignore there.
func (s *responseNames) notInTrailers(name string) bool {
	return s.ours(name) || strings.EqualFold(name, "Set-Cookie")
}

// strip removes the session headers and the session cookies from the head of a response that
// changes no session. It reports whether there were any.
func (s *responseNames) strip(h http.Header, own cookie.Names) (found bool) {
	for name, values := range h {
		switch s.Find(name) {
		case 0:
		case setCookieMark:
			if !strings.EqualFold(name, "Set-Cookie") {
				continue
			}
			kept := slices.DeleteFunc(slices.Clone(values), func(line string) bool {
				set, _ := wire.ParseSetCookie(line)
				return own.Own(set)
			})
			if len(kept) < len(values) {
				found = true
				wire.SetLines(h, name, kept)
			}
		case trailerMark:
			if kept, removed := wire.RemoveTokens(values, s.notInTrailers); removed {
				found = true
				wire.SetLines(h, name, kept)
			}
		default:
			found = true
			delete(h, name)
		}
	}
	return found
}

// stripTrailers does the same with the trailers. After the body, net/http has them in the header
// map, announced or not.
func (s *responseNames) stripTrailers(h http.Header) (found bool) {
	for name := range h {
		trailer, isTrailer := strings.CutPrefix(name, http.TrailerPrefix)
		if s.ours(trailer) || isTrailer && s.notInTrailers(trailer) {
			found = true
			delete(h, name)
		}
	}
	return found
}
