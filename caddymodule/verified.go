package caddymodule

import (
	"crypto/subtle"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// signed is what a cookie says whose signature is right.
type signed struct {
	id    string
	ref   string
	stale bool // an older key has signed it
}

// verified remembers cookies whose signature is right, so that the next request of a visitor pays for no HMAC and no
// SHA-256: they are a sixth of what a read from memory adds to a request. It says nothing about the session, which may have
// ended. It may be used by many goroutines at once, and takes 64 KiB and some 300 bytes for each that it remembers.
type verified struct {
	seed  maphash.Seed
	slots [verifiedSlots]verifiedSlot
}

// verifiedSlots is how many cookies are remembered.
const verifiedSlots = 4096

// verifiedSlot is where all values of a hash belong. Which slot that is, nobody outside can know.
type verifiedSlot struct {
	cookie atomic.Pointer[verifiedCookie]

	// missed is the hash of the last value that was not there. Only who comes twice in a row moves in, so that more visitors than there
	// are slots do not pay for driving each other out.
	missed atomic.Uint64
}

type verifiedCookie struct {
	value []byte
	signed
}

func newVerified() *verified { return &verified{seed: maphash.MakeSeed()} }

// get returns what the value of a cookie says, and whether its signature is right and it names what may be a
// session's id. How long that takes tells nothing about any other value: see [dialects.Cookies].
func (v *verified) get(value string, cookies dialects.Cookies, validID func(string) bool) (signed, bool) {
	if len(value) > maxCookieValue {
		return signed{}, false
	}
	hash, slot := v.slot(value)
	if c := slot.cookie.Load(); c != nil {
		var room [maxCookieValue]byte
		if subtle.ConstantTimeCompare(room[:copy(room[:], value)], c.value) == 1 {
			return c.signed, true
		}
	}
	id, stale, ok := cookies.Verify(value)
	if !ok || !validID(id) {
		return signed{}, false
	}
	s := signed{id, sessionstore.Ref(id), stale}
	if slot.missed.Swap(hash) == hash {
		// The request's strings are parts of its header, which must not be kept.
		s.id = strings.Clone(id)
		slot.cookie.Store(&verifiedCookie{[]byte(value), s})
	}
	return s, true
}

func (v *verified) slot(value string) (hash uint64, slot *verifiedSlot) {
	hash = maphash.String(v.seed, value)
	return hash, &v.slots[hash%verifiedSlots]
}

// maxCookieValue is longer than any value that we sign. What is longer is not worth hashing.
const maxCookieValue = 256
