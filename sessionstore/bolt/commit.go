package bolt

import (
	"bytes"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// maxBatch bounds the changes of one transaction, and with them its memory.
	maxBatch = 1024

	// gather is how long a transaction may wait for those that have just been
	// answered. Measured with 64 writers: all of them in each transaction instead
	// of half, for two thirds of the processor time a change.
	gather = time.Millisecond

	// maxArena is the largest buffer that is kept between transactions.
	maxArena = 1 << 20
)

// kind says what an op does.
type kind byte

const (
	setOp    kind = iota // CompareAndSet
	deleteOp             // CompareAndDelete
	sweepOp              // delete what has expired of keys
	nudgeOp              // nothing, so that touches are written
)

// op is a change that waits for its transaction.
type op struct {
	kind       kind
	key        string
	keys       [][]byte
	old, value []byte
	ttl        time.Duration

	found sessionstore.Entry // what was in the way
	err   error
}

// commit makes the changes of a batch in one transaction. A conflict is a result
// of its own op and leaves the others alone; an error of the transaction is one
// of all.
func (s *Store) commit(f *file, batch []*op) {
	touched := s.touches.take(maxBatch)
	err := s.write(f, touched, batch)
	touchErr := err
	if err != nil && len(touched) > 0 {
		// On a full disk, a change may find room that it does not find together
		// with touches.
		s.touches.putBack(touched)
		err = s.write(f, nil, batch)
	}
	for _, o := range batch {
		switch {
		case o.kind == nudgeOp && touchErr != nil:
			o.err = s.unavailable(touchErr)
		case err != nil:
			o.found, o.err = sessionstore.Entry{}, s.unavailable(err)
		case o.err != nil && o.err != sessionstore.ErrConflict:
			o.err = s.unavailable(o.err)
		}
	}
}

func (s *Store) write(f *file, touched map[string]touch, batch []*op) error {
	return f.update(func(b *bbolt.Bucket) ([]written, error) {
		w := writer{bucket: b, now: s.now(), arena: f.arena[:0], changes: make([]written, 0, len(touched)+len(batch))}
		for key, t := range touched {
			w.touch(key, t)
		}
		for _, o := range batch {
			w.apply(o)
		}
		if cap(w.arena) <= maxArena {
			f.arena = w.arena
		}
		return w.changes, w.err
	})
}

// writer makes changes within a transaction.
type writer struct {
	bucket  *bbolt.Bucket
	now     int64
	changes []written
	err     error // ends the transaction

	// arena holds the records and keys that are written: bbolt wants them to stay
	// until the end of the transaction, and no longer.
	arena []byte
}

// apply makes the change that o asks for, if nothing is in its way.
func (w *writer) apply(o *op) {
	o.found, o.err = sessionstore.Entry{}, nil
	if o.kind == sweepOp {
		w.sweep(o.keys)
	}
	if o.kind != setOp && o.kind != deleteOp {
		return
	}
	key := w.keep(o.key)
	r, err := readRecord(w.bucket.Get(key), w.now)
	switch {
	case err != nil:
		o.err = err
	case o.kind == deleteOp && r.value == nil:
	case o.kind == setOp && r.value != nil && !r.is(o.old) && bytes.Equal(r.value, o.value):
		// Saved before, and the answer was lost.
	case r.is(o.old) || o.kind == setOp && o.old == nil && r.value == nil:
		if o.kind == setOp {
			w.put(o.key, key, deadline(w.now, o.ttl), o.value)
		} else {
			w.delete(o.key, key)
		}
	default:
		r.value = bytes.Clone(r.value)
		o.found, o.err = r.entry(w.now), sessionstore.ErrConflict
	}
}

// is reports whether the record is there and still the old one.
func (r record) is(old []byte) bool {
	return r.value != nil && old != nil && bytes.Equal(r.value, old)
}

// touch moves a deadline, if the record is still the one that was touched.
func (w *writer) touch(name string, t touch) {
	key := w.keep(name)
	r, err := readRecord(w.bucket.Get(key), w.now)
	if err == nil && r.is(t.old) && r.deadline != t.deadline {
		w.put(name, key, t.deadline, t.old)
	}
}

// sweep deletes what has expired. It may have been written anew since it was found.
func (w *writer) sweep(keys [][]byte) {
	for _, key := range keys {
		raw := w.bucket.Get(key)
		if r, err := readRecord(raw, w.now); raw != nil && err == nil && r.value == nil {
			w.delete(string(key), key)
		}
	}
}

func (w *writer) keep(key string) []byte {
	start := len(w.arena)
	w.arena = append(w.arena, key...)
	return w.arena[start:len(w.arena):len(w.arena)]
}

// put writes a record. key is kept until the end of the transaction, and value, which nobody changes any more, for longer.
func (w *writer) put(name string, key []byte, deadline int64, value []byte) {
	var record []byte
	w.arena, record = appendRecord(w.arena, deadline, value)
	if value == nil {
		value = []byte{} // there is a record, and it is empty
	}
	w.done(name, value, deadline, w.bucket.Put(key, record))
}

func (w *writer) delete(name string, key []byte) { w.done(name, nil, 0, w.bucket.Delete(key)) }

func (w *writer) done(name string, value []byte, deadline int64, err error) {
	w.changes = append(w.changes, written{name, record{value, deadline}})
	if w.err == nil {
		w.err = err
	}
}
