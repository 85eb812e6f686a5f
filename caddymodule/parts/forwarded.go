package parts

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// Forwarded collects what the parts add to a request. Headers are set at once, cookies are added
// together at the end. Undo removes everything again.
type Forwarded struct {
	header  http.Header
	names   []string
	cookies []string

	// added are the cookies in the Cookie header.
	added string

	// These arrays hold what most requests need. Without them, each value and the names would take
	// allocations of their own: see headerRoom of the exchange.
	nameRoom, lineRoom [3]string
}

// To sets the request header to add to.
func (t *Forwarded) To(h http.Header) {
	t.header, t.names, t.cookies = h, t.nameRoom[:0], nil
}

// Header sets a header.
func (t *Forwarded) Header(name, value string) {
	if i := len(t.names); i < len(t.lineRoom) {
		t.lineRoom[i] = value
		t.header[name] = t.lineRoom[i : i+1 : i+1]
	} else {
		t.header[name] = []string{value}
	}
	t.names = append(t.names, name)
}

// Cookie adds cookies: pairs separated by "; ". It ignores an empty string.
func (t *Forwarded) Cookie(pairs string) {
	if pairs != "" {
		t.cookies = append(t.cookies, pairs)
	}
}

// Cookies returns the cookies to add.
func (t *Forwarded) Cookies() string { return strings.Join(t.cookies, "; ") }

// AddCookies adds the result of [Forwarded.Cookies] to the request. They come before the client's
// cookies, because many servers use the first of several cookies with one name.
func (t *Forwarded) AddCookies(pairs string) {
	if t.added = pairs; pairs != "" {
		wire.PrependCookies(t.header, pairs)
	}
}

// Names returns the names of the headers and cookies that were added.
func (t *Forwarded) Names() []string {
	names := slices.Clone(t.names)
	for pair := range strings.SplitSeq(t.added, "; ") {
		if name, _, named := strings.Cut(pair, "="); named {
			names = append(names, name)
		}
	}
	return names
}

// Undo removes everything from the request.
func (t *Forwarded) Undo() {
	for _, name := range t.names {
		delete(t.header, name)
	}
	if t.added != "" {
		wire.RemovePrepended(t.header, t.added)
	}
	t.names, t.cookies, t.added = nil, nil, ""
}

// Size is the size of what was added, in bytes.
func (t *Forwarded) Size() (size int) {
	for _, name := range t.names {
		size += wire.Size(name, t.header[name])
	}
	if t.added != "" {
		size += wire.Size("Cookie", []string{t.added})
	}
	return size
}
