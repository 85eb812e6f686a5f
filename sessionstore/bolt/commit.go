package bolt

import (
	"bytes"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// maxBatch bounds the changes of one transaction, and so its memory.
	maxBatch = 1024

	// gather is how long a transaction may wait for the writers of the last one. Measured with 64
	// writers: all of them share each transaction instead of half, for two thirds of the processor
	// time.
	gather = time.Millisecond

	// maxArena is the largest buffer that is kept between transactions.
	maxArena = 1 << 20
)

// kind is what an op does.
type kind byte

const (
	setOp    kind = iota // CompareAndSet
	deleteOp             // CompareAndDelete
	sweepOp              // deletes those of keys that have expired
	nudgeOp              // nothing: the touches that wait are written
)

// op is a change that waits for its transaction.
type op struct {
	kind       kind
	key        string
	keys       [][]byte
	old, value []byte
	ttl        time.Duration

	found sessionstore.Entry // the record that conflicts
	swept int                // how many sessions had expired
	err   error
}

// commit makes the changes of a batch in one transaction. A conflict fails its own op only. An
// error of the transaction fails all.
func (s *Store) commit(f *file, batch []*op) {
	touched := s.touches.take(maxBatch)
	err := s.write(f, touched, batch)
	touchErr := err
	if err != nil && len(touched) > 0 {
		// On a full disk there may be room for the changes without the touches.
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
		case o.swept > 0 && s.o.OnExpire != nil:
			s.o.OnExpire(o.swept)
		}
	}
}

func (s *Store) write(f *file, touched map[string]touch, batch []*op) error {
	return f.update(func(b *bbolt.Bucket) ([]string, error) {
		tree, err := boltfile.OpenTree(f.fd, layout)
		if err != nil {
			return nil, err
		}
		w := writer{
			bucket: b, tree: tree, now: s.now(), arena: f.arena[:0],
			changed: make([]string, 0, len(touched)+len(batch)),
		}
		for key, t := range touched {
			w.touch(key, t)
		}
		for _, o := range batch {
			w.apply(o)
		}
		if cap(w.arena) <= maxArena {
			f.arena = w.arena
		}
		return w.changed, w.err
	})
}

// writer makes changes within a transaction, on pages that are not damaged.
type writer struct {
	bucket  *bbolt.Bucket
	tree    *boltfile.Tree
	now     int64
	changed []string // keys
	err     error    // fails the transaction

	// arena holds the keys and records that are written. bbolt needs them until the transaction
	// ends.
	arena []byte
}

// apply makes the change, unless another record is in the way.
func (w *writer) apply(o *op) {
	o.found, o.err = sessionstore.Entry{}, nil
	if o.kind == sweepOp {
		o.swept = w.sweep(o.keys)
	}
	if o.kind != setOp && o.kind != deleteOp {
		return
	}
	key := w.keep(o.key)
	r, err := w.read(key)
	switch {
	case err != nil:
		o.err = err
	case o.kind == deleteOp && r.value == nil:
	case o.kind == setOp && r.value != nil && !r.is(o.old) && bytes.Equal(r.value, o.value):
		// Saved before, and the answer was lost.
	case r.is(o.old) || o.kind == setOp && o.old == nil && r.value == nil:
		switch {
		case o.kind == setOp:
			w.put(o.key, key, deadline(w.now, o.ttl), o.value)
		case w.tree.CanDelete(key) == nil:
			w.done(o.key, w.bucket.Delete(key))
		default: // a page beside is damaged
			w.put(o.key, key, longAgo, nil)
		}
	default:
		r.value = bytes.Clone(r.value)
		o.found, o.err = r.entry(w.now), sessionstore.ErrConflict
	}
}

// read returns a record that may be changed, unless its page is damaged.
func (w *writer) read(key []byte) (record, error) {
	if err := w.tree.CanPut(key); err != nil {
		return record{}, err
	}
	return readRecord(w.bucket.Get(key), w.now)
}

// is reports whether the record exists and is the old one.
func (r record) is(old []byte) bool {
	return r.value != nil && old != nil && bytes.Equal(r.value, old)
}

// touch moves a deadline, if the record is still the one that was touched.
func (w *writer) touch(name string, t touch) {
	key := w.keep(name)
	r, err := w.read(key)
	if err == nil && r.is(t.old) && r.deadline != t.deadline {
		w.put(name, key, t.deadline, t.old)
	}
}

// sweep deletes expired records, and returns how many sessions were among them. A record may have
// been replaced since it was found expired.
func (w *writer) sweep(keys [][]byte) (sessions int) {
	for _, key := range keys {
		if w.tree.CanDelete(key) != nil {
			continue
		}
		raw := w.bucket.Get(key)
		if r, err := readRecord(raw, w.now); raw != nil && err == nil && r.value == nil {
			if sessionstore.IsSession(raw[headLen:]) {
				sessions++
			}
			w.done(string(key), w.bucket.Delete(key))
		}
	}
	return sessions
}

func (w *writer) keep(key string) []byte {
	start := len(w.arena)
	w.arena = append(w.arena, key...)
	return w.arena[start:len(w.arena):len(w.arena)]
}

// put writes a record. key must stay unchanged until the transaction ends.
func (w *writer) put(name string, key []byte, deadline int64, value []byte) {
	var record []byte
	w.arena, record = appendRecord(w.arena, deadline, value)
	w.done(name, w.bucket.Put(key, record))
}

// done notes that a key has changed, and the first error.
func (w *writer) done(name string, err error) {
	w.changed = append(w.changed, name)
	if w.err == nil {
		w.err = err
	}
}
