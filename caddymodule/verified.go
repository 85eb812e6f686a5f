package caddymodule

import (
	"crypto/subtle"
	"hash/maphash"
	"strings"
	"sync"
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
// SHA-256. It says nothing about the session, which may have ended. It may be used by many goroutines at once. Each
// handler has its own, and all share the room.
type verified struct {
	room  *verifiedRoom
	owner uint64
}

// verifiedSlots is how many cookies are remembered.
const verifiedSlots = 1 << 14

// The room belongs to the process, as the metrics do, and is made for the first handler.
var (
	sharedRoom = sync.OnceValue(func() *verifiedRoom { return newVerifiedRoom(verifiedSlots) })
	owners     atomic.Uint64
)

func newVerified() verified { return verified{sharedRoom(), owners.Add(1)} }

// verifiedRoom takes 272 bytes for each slot: 4.25 MiB. Nearly all is one block without pointers, into which the garbage collector does not
// look, and no cookie becomes garbage. In a proxy whose heap is hardly larger, that has the collector come half as often.
type verifiedRoom struct {
	seed  maphash.Seed
	slots []verifiedSlot
	refs  []string // of the cookies in the slots, under their locks
}

func newVerifiedRoom(slots int) *verifiedRoom {
	return &verifiedRoom{maphash.MakeSeed(), make([]verifiedSlot, slots), make([]string, slots)}
}

// verifiedSlot is where all values of a hash belong. Which slot that is, nobody outside can know.
type verifiedSlot struct {
	mu sync.Mutex

	// missed is the hash of the last value that was not there. Only who comes twice in a row moves in, so that more visitors than there
	// are slots do not pay for driving each other out.
	missed uint64

	cookie verifiedCookie
}

// verifiedCookie is a value that begins with the id. Nobody owns an empty one.
type verifiedCookie struct {
	owner    uint64
	length   uint8
	idLength uint8
	stale    bool
	value    [maxRemembered]byte
}

const (
	// maxCookieValue is longer than any value that we sign. What is longer is not worth hashing.
	maxCookieValue = 256

	// maxRemembered is the length of the longest value that is remembered: ours have 87 bytes.
	maxRemembered = 229
)

// get returns what the value of a cookie says, and whether its signature is right and it names what may be a
// session's id. How long that takes tells nothing about any other value: see [dialects.Cookies].
func (v verified) get(value string, cookies dialects.Cookies, validID func(string) bool) (signed, bool) {
	if len(value) > maxCookieValue {
		return signed{}, false
	}
	hash := v.hash(value)
	if s, ok := v.recall(hash, value); ok {
		return s, true
	}
	id, stale, ok := cookies.Verify(value)
	if !ok || !validID(id) {
		return signed{}, false
	}
	s := signed{id, sessionstore.Ref(id), stale}
	v.remember(hash, value, s)
	return s, true
}

func (v verified) recall(hash uint64, value string) (signed, bool) {
	if len(value) > maxRemembered {
		return signed{}, false
	}
	slot, ref := v.room.slot(hash)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	c := &slot.cookie
	var room [maxRemembered]byte
	if c.owner != v.owner || subtle.ConstantTimeCompare(room[:copy(room[:], value)], c.value[:c.length]) == 0 {
		return signed{}, false
	}
	return signed{value[:c.idLength], *ref, c.stale}, true
}

func (v verified) remember(hash uint64, value string, s signed) {
	if len(value) > maxRemembered || !strings.HasPrefix(value, s.id) {
		return
	}
	slot, ref := v.room.slot(hash)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.missed != hash {
		slot.missed = hash
		return
	}
	slot.cookie = verifiedCookie{owner: v.owner, length: uint8(len(value)), idLength: uint8(len(s.id)), stale: s.stale}
	copy(slot.cookie.value[:], value)
	*ref = s.ref
}

func (r *verifiedRoom) slot(hash uint64) (slot *verifiedSlot, ref *string) {
	i := hash % uint64(len(r.slots))
	return &r.slots[i], &r.refs[i]
}

// hash gives handlers that are sent the same cookie a slot each.
func (v verified) hash(value string) uint64 {
	const golden = 0x9e3779b97f4a7c15
	return maphash.String(v.room.seed, value) + v.owner*golden
}
