package sessionstore

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// maxUser is the maximum length of a user's name, in bytes.
const maxUser = 256

// user returns who has logged in to a session with this data. It is nobody if the field is missing
// or holds anything but a string or a number, and if that is empty, too long or has control
// characters.
func (m *Manager) user(data jsondoc.Value) string {
	value, found := data.Lookup(m.opts.User)
	if !found {
		return ""
	}
	var name string
	switch value.Kind() {
	case jsondoc.String:
		name = value.String()
	case jsondoc.Number:
		name = value.ASCII()
	}
	if len(name) > maxUser || strings.ContainsFunc(name, unicode.IsControl) {
		return ""
	}
	return name
}

// userIn is user for data that are not parsed.
func (m *Manager) userIn(data []byte) string {
	if m.userField == "" {
		return ""
	}
	v, err := jsondoc.Parse(borrow(data), jsondoc.MaxDepth)
	if err != nil {
		return ""
	}
	return m.user(v)
}

// encode returns the stored form of a record, which says that its user was read with the present
// configuration.
func (m *Manager) encode(rec *Record) ([]byte, error) {
	rec.UserField = m.userField
	return m.opts.Codec.Encode(rec)
}

// Anonymous reports whether a stored record is of a session that nobody has logged in to, although
// the configuration says by [Options.User] how it would show. A store that is full deletes such
// sessions first.
func Anonymous(value []byte) bool {
	return len(value) > VersionLen && value[0] == FormatNative && value[VersionLen]&flagAnonymous != 0
}

// appendUser adds the section about the user, if there is a UserField.
func (r *Record) appendUser(b []byte) []byte {
	if r.UserField == "" {
		return b
	}
	var room [2][binary.MaxVarintLen64]byte
	size := binary.AppendUvarint(room[0][:0], uint64(len(r.UserField)))
	listed := room[1][:1] // 0
	if !r.Listed.IsZero() {
		listed = binary.AppendVarint(room[1][:0], r.Listed.Unix())
	}
	b = append(b, sectionUser)
	b = binary.AppendUvarint(b, uint64(len(size)+len(r.UserField)+len(listed)+len(r.User)))
	b = append(b, size...)
	b = append(b, r.UserField...)
	b = append(b, listed...)
	return append(b, r.User...)
}

// readUser reads what appendUser has added. It reports false if that is something else.
func (r *Record) readUser(b []byte) bool {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return false
	}
	r.UserField = borrow(b[n : n+int(size)])
	b = b[n+int(size):]
	listed, n := binary.Varint(b)
	if n <= 0 {
		return false
	}
	if listed != 0 {
		r.Listed = time.Unix(listed, 0)
	}
	r.User = borrow(b[n:])
	return r.UserField != ""
}
