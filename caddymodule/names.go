package caddymodule

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// header says what a header means to a handler.
type header uint8

const (
	none header = iota
	dataHeader
	infoHeader
	flashHeader
	updateHeader
	controlHeader
	injectedHeader
	capturedHeader
	connectionHeader
	upgradeHeader
	tunnelHeader
	cookieHeader
	setCookieHeader
	trailerHeader
)

// nameSet finds header names as a server on the way may read them: in any case, and with "_" for whatever is
// no letter or digit, as CGI has it in lighttpd and BusyBox. It is asked for every header of every request, so it
// looks at the length first.
type nameSet struct {
	lengths uint64
	names   []foldedName
}

type foldedName struct {
	folded string
	means  header
	// field is the index of the captured field.
	field int
}

func (s *nameSet) add(name string, means header, field int) {
	s.lengths |= 1 << (len(name) % 64)
	s.names = append(s.names, foldedName{fold(name), means, field})
}

// find returns what name means, and none if it is not in the set.
func (s *nameSet) find(name string) foldedName {
	if s.lengths&(1<<(len(name)%64)) == 0 {
		return foldedName{}
	}
	for _, n := range s.names {
		if foldsTo(name, n.folded) {
			return n
		}
	}
	return foldedName{}
}

func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = foldByte(c)
	}
	return string(b)
}

func foldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}

// names are the header names of a handler, in their canonical form.
type names struct {
	data, info, flash, update, control string

	// request are those that no client may send, response those that
	// the backend may and no client gets.
	request, response nameSet

	// captured are the canonical names of the captured headers.
	captured []capture
}

func (n *names) set(prefix string) {
	n.data = http.CanonicalHeaderKey(prefix + "Data")
	n.info = http.CanonicalHeaderKey(prefix + "Info")
	n.flash = http.CanonicalHeaderKey(prefix + "Flash")
	n.update = http.CanonicalHeaderKey(prefix + "Update")
	n.control = http.CanonicalHeaderKey(prefix + "Control")
	n.response.add(n.flash, flashHeader, 0)
	n.response.add(n.update, updateHeader, 0)
	n.response.add(n.control, controlHeader, 0)
	n.response.addOthers()
}

// addOthers adds to the names that no client gets those of the headers which are for others too.
func (s *nameSet) addOthers() {
	s.add("Set-Cookie", setCookieHeader, 0)
	s.add("Trailer", trailerHeader, 0)
}

// guarded returns the names that no client may send.
func (n *names) guarded(inject map[string]string) []string {
	guarded := append(make([]string, 0, 5+len(inject)), n.data, n.info, n.flash, n.update, n.control)
	for name := range inject {
		guarded = append(guarded, name)
	}
	return guarded
}

// withheld returns the names that the backend may send and no client gets.
func (n *names) withheld(capture map[string]Capture) []string {
	return append([]string{n.flash, n.update, n.control}, slices.Sorted(maps.Keys(capture))...)
}

// own returns the set of the names that no option may give to another header.
func (n *names) own() (set nameSet) {
	for _, name := range n.guarded(nil) {
		set.add(name, dataHeader, 0)
	}
	return set
}

// removeTokens removes the comma-separated tokens that drop names from the values
// of a header, and reports whether there were any. Mostly there are none, which costs no memory.
func removeTokens(values []string, drop func(token string) bool) (kept []string, removed bool) {
	if !slices.ContainsFunc(values, func(v string) bool { return anyToken(v, drop) }) {
		return values, false
	}
	for _, v := range values {
		var tokens []string
		for token := range strings.SplitSeq(v, ",") {
			if token = strings.TrimSpace(token); !drop(token) {
				tokens = append(tokens, token)
			}
		}
		if len(tokens) > 0 {
			kept = append(kept, strings.Join(tokens, ", "))
		}
	}
	return kept, true
}

func anyToken(value string, match func(token string) bool) bool {
	for more := true; more; {
		var token string
		token, value, more = strings.Cut(value, ",")
		if match(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}
