package sessionstore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const (
	// idBytes is what makes an id unguessable: 256 bits.
	idBytes = 32

	// idLen is the length of an id in unpadded base64url, and of a ref, which is a SHA-256.
	idLen = 43
)

// NewID returns a new session id from crypto/rand, in unpadded base64url.
func NewID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ValidID reports whether id has the form that [NewID] gives.
func ValidID(id string) bool {
	if len(id) != idLen {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Ref names the session with this id in logs and for operators, and is the key of its record: the
// unpadded base64url form of the id's SHA-256. Nobody gets from a ref to an id, so whoever reads
// logs or the store has no usable cookie.
func Ref(id string) string {
	var in [64]byte
	var out [idLen]byte
	sum := sha256.Sum256(append(in[:0], id...))
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return string(out[:])
}
