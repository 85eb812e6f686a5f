package sessionstore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const (
	// idBytes is the number of random bytes in an id: 256 bits cannot be guessed.
	idBytes = 32

	// idLen is the length of an id, and of a ref, in unpadded base64url.
	idLen = 43
)

// NewID returns a new session id from crypto/rand, in unpadded base64url.
func NewID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // never returns an error: it ends the program
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ValidID reports whether id has the form of those of [NewID].
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

// Ref returns the name of the session with this id in logs and for operators. It is the key of its
// record, too: the id's SHA-256 in unpadded base64url. Nobody can compute an id from a ref, so
// those who read logs or the store have no valid cookie.
func Ref(id string) string {
	var in [64]byte
	var out [idLen]byte
	sum := sha256.Sum256(append(in[:0], id...))
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return string(out[:])
}
