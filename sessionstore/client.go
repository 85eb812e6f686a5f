package sessionstore

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Client says who has used a session.
type Client struct {
	// Address is the client's IP address, and UserAgent its User-Agent, of at most 256 bytes.
	// Either may be empty.
	Address   string `json:"address,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// maxUserAgent is the maximum length of a recorded User-Agent, in bytes. Addresses are shorter.
const maxUserAgent = 256

// NewClient returns a client as a record contains it: long texts are cut, and control characters
// and bytes that are not UTF-8 are replaced.
func NewClient(address, userAgent string) Client { return Client{clean(address), clean(userAgent)} }

func clean(text string) string {
	text = text[:min(len(text), maxUserAgent)]
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || unicode.IsControl(c) {
			return '?'
		}
		return c
	}, text)
}

// remember records the client that uses the session now. It reports whether that has changed the
// record.
func (m *Manager) remember(rec *Record, c Client) bool {
	first, last := rec.First, rec.Last
	switch {
	case !m.opts.RememberClient:
		rec.First, rec.Last = Client{}, Client{}
	case c != Client{}:
		rec.Last = c
		if rec.First == (Client{}) {
			rec.First = c
		}
	}
	return rec.First != first || rec.Last != last
}

// appendClients adds the section about the clients, if there are any.
func (r *Record) appendClients(b []byte) []byte {
	if r.First == (Client{}) && r.Last == (Client{}) {
		return b
	}
	var section []byte
	for _, text := range []string{r.First.Address, r.First.UserAgent, r.Last.Address, r.Last.UserAgent} {
		section = binary.AppendUvarint(section, uint64(len(text)))
		section = append(section, text...)
	}
	return appendSection(b, sectionClients, section)
}

// readClients reads what appendClients has added. It reports false if that is something else.
func (r *Record) readClients(b []byte) bool {
	for _, text := range []*string{&r.First.Address, &r.First.UserAgent, &r.Last.Address, &r.Last.UserAgent} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return false
		}
		*text = borrow(b[n : n+int(size)])
		b = b[n+int(size):]
	}
	return len(b) == 0
}
