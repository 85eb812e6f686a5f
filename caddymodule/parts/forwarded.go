package parts

import (
	"net/http"
	"strings"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// Forwarded is what the parts have told the app in a request: headers, which are set at once, and cookies, which are added
// together. All of it can be taken back.
type Forwarded struct {
	header  http.Header
	names   []string
	cookies []string

	// added is what stands in the Cookie header.
	added string

	// What most requests need lies here, so that it needs no memory of its own.
	nameRoom, lineRoom [3]string
}

// To says whose request is told.
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

// Cookie adds cookies: pairs with "; " between them, or nothing.
func (t *Forwarded) Cookie(pairs string) {
	if pairs != "" {
		t.cookies = append(t.cookies, pairs)
	}
}

// Cookies returns the cookies that are to be added.
func (t *Forwarded) Cookies() string { return strings.Join(t.cookies, "; ") }

// AddCookies puts what [Forwarded.Cookies] has returned into the request. They come before those of the client, since many
// servers take the first of a name.
func (t *Forwarded) AddCookies(pairs string) {
	if t.added = pairs; pairs != "" {
		wire.PrependCookies(t.header, pairs)
	}
}

// Undo takes everything back.
func (t *Forwarded) Undo() {
	for _, name := range t.names {
		delete(t.header, name)
	}
	if t.added != "" {
		wire.RemovePrepended(t.header, t.added)
	}
	t.names, t.cookies, t.added = nil, nil, ""
}

// Size is how many bytes of the request are what it was told.
func (t *Forwarded) Size() (size int) {
	for _, name := range t.names {
		size += wire.Size(name, t.header[name])
	}
	if t.added != "" {
		size += wire.Size("Cookie", []string{t.added})
	}
	return size
}
