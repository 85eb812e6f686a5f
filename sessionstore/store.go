package sessionstore

import (
	"context"
	"errors"
	"time"
)

// Entry is what a [Store] holds under a key.
type Entry struct {
	// Value is the record. Nobody may ever change it, so it stays valid. A stored value may be
	// empty. Nil means that there is no live record.
	Value []byte

	// TTL is how long the record is still kept if nobody saves or touches it. It is above zero if
	// Value is not nil.
	TTL time.Duration

	// TTLUnknown says that the store does not know the time to live, because it keeps the record in
	// the way of another program. TTL is then the longest possible one.
	TTLUnknown bool
}

// Found reports whether there is a live record.
func (e Entry) Found() bool { return e.Value != nil }

// Store keeps records: bytes under a key, for a time. It does not know what the bytes mean.
// Timeouts, merging, retries and codecs are in [Manager], so that a store takes one screen of code.
// The tests in storetest check this contract for every store.
//
// Keys are 1 to 200 printable ASCII bytes (0x21 to 0x7e), values 0 bytes to [MaxValue]. A time to
// live is at least a millisecond. A store may round it up to full seconds. After it, no method
// finds the record, even if the store has not deleted its bytes yet.
//
// Values are compared byte by byte. The first [VersionLen] bytes of every native record contain a
// new random version. So a store may compare only these bytes of a value that begins with
// [FormatNative]. It must compare other values whole.
//
// All methods are safe for concurrent use. When the context ends, they return soon, with an error
// that wraps that of the context. After an error, a write may have happened or not. After a
// success, everybody sees it, and it is as durable as the store promises. If a store repeats an
// operation by itself because an answer was lost, and then finds another record, it does not know
// whether the first attempt has succeeded. It then returns the error of that attempt, not
// [ErrConflict]. Errors contain neither keys nor values.
type Store interface {
	// Get returns the record under key. If there is none, it returns the zero Entry and no error.
	Get(ctx context.Context, key string) (Entry, error)

	// CompareAndSet stores value under key for ttl if the record there is still old or, if old is
	// nil, if there is none.
	//
	// If the record there is neither old nor value, it returns [ErrConflict] and that record, or
	// the zero Entry if there is none. So the caller can try again without another read. If the
	// record is value already, an earlier attempt has succeeded and its answer was lost: that is a
	// success.
	//
	// On success the entry is the zero Entry. The store keeps the slice value, which the caller
	// must not change afterwards.
	CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (Entry, error)

	// CompareAndDelete deletes the record under key if it is still old, which is never nil. If
	// another record is there, it returns [ErrConflict] and that record. If there is none, that is
	// a success.
	CompareAndDelete(ctx context.Context, key string, old []byte) (Entry, error)

	// Touch sets the time to live of the record under key to ttl from now, if the record is still
	// old, which is never nil. Otherwise it does nothing and returns no error. A touch may be lost
	// in a crash, and others may see it a little later.
	Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error

	// Close releases what the store holds. No method may be called during or after it.
	Close() error
}

const (
	// MaxKey is the maximum length of a key, in bytes.
	MaxKey = 200

	// MaxValue is the maximum size of a value that a store must accept, in bytes. Only another
	// program can have stored a larger one. A store does not read it into memory: the operation
	// fails with an error that wraps [ErrRecord].
	MaxValue = 1 << 20
)

var (
	// ErrConflict means that the record is not the one that the caller expected. The store works.
	ErrConflict = errors.New("the record has changed")

	// ErrUnavailable means that the store could not be reached in time, or refused the operation.
	// The operation may have happened or not.
	ErrUnavailable = errors.New("session store unavailable")
)
