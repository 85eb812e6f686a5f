package sessionstore

import (
	"context"
	"errors"
	"time"
)

// Entry is what a [Store] holds under a key.
type Entry struct {
	// Value is the record. Whoever gets it must not change it, and nobody else ever does: it stays
	// valid for as long as it is referenced. A stored value may be empty, but it is never nil: nil
	// means that there is no live record.
	Value []byte

	// TTL is how long the record will still be kept when nobody saves or touches it. It is above
	// zero whenever Value is not nil.
	TTL time.Duration

	// TTLUnknown says that the store cannot tell, and that TTL is the longest that it may be: it
	// keeps the record as another program does.
	TTLUnknown bool
}

// Found reports whether there is a live record.
func (e Entry) Found() bool { return e.Value != nil }

// Store keeps records: bytes under a key, for a time. It knows nothing of what the bytes mean.
// Timeouts, merging, retrying and codecs live above it, in [Manager], so that a new store is one
// screen of code. The suite in storetest holds every store to this contract.
//
// Keys are 1 to 200 printable ASCII bytes (0x21 to 0x7e), values 0 bytes to [MaxValue]. A time to
// live is at least a millisecond; a store may keep it to the second, rounding up. From the moment
// that it has run out, the record is not there for any method, whether its bytes are gone yet or
// not.
//
// Values are compared byte by byte. Every record that a [Manager] writes holds a fresh random
// version in its first [VersionLen] bytes, so a store may compare less than the whole of a value
// only if it compares at least those bytes of a value that begins with [FormatNative].
//
// All methods may be called by many goroutines at once. All of them obey the context: when it ends
// they return soon, with an error that wraps the context's. A write that ended with an error may
// have happened or not; one that ended without is durable as far as the store promises durability
// at all, and everybody sees it from then on. A store that repeats an operation by itself, after an
// answer was lost, and then finds another record there, does not know whether the first attempt
// succeeded: it returns the error, not [ErrConflict]. Errors name neither keys nor values.
type Store interface {
	// Get returns the record under key. That there is none is not an error: the entry is then the
	// zero Entry.
	Get(ctx context.Context, key string) (Entry, error)

	// CompareAndSet stores value under key for ttl if the record there is still old, or, when old
	// is nil, if there is none.
	//
	// It returns [ErrConflict] if what is there is neither old nor value, together with what is
	// there instead (the zero Entry if nothing is), so that the caller can try again without
	// another read. If what is there is value itself, an earlier attempt has succeeded whose answer
	// was lost: that is success, not a conflict.
	//
	// On success the entry is the zero Entry. The store keeps value; the caller must not change it
	// afterwards.
	CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (Entry, error)

	// CompareAndDelete removes the record under key if it is still old, which is never nil. It
	// returns [ErrConflict] and the record if another is there. That there is none is success.
	CompareAndDelete(ctx context.Context, key string, old []byte) (Entry, error)

	// Touch lets the record under key live for ttl from now, if it is still old, which is never
	// nil; otherwise it does nothing, without an error. It may be lost in a crash and may be seen a
	// little later than it returns.
	Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error

	// Close gives back what the store holds. No method may be called after or during it.
	Close() error
}

const (
	// MaxKey is the length of the longest key, in bytes.
	MaxKey = 200

	// MaxValue is the size of the largest value that a store must take, in bytes. A larger one,
	// which only another program may have put there, is not read into memory: operations that come
	// upon it fail with an error that wraps [ErrRecord].
	MaxValue = 1 << 20
)

var (
	// ErrConflict means that another record is there than the one that the caller expected. It says
	// nothing bad about the store.
	ErrConflict = errors.New("the record has changed")

	// ErrUnavailable means that the store could not be reached, or not in time, or refused the
	// operation. What was asked may have happened or not.
	ErrUnavailable = errors.New("session store unavailable")
)
