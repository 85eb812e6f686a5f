package bolt

import (
	"bytes"
	"fmt"
	"time"

	bbolt "go.etcd.io/bbolt"
)

const (
	// sweepStep is how many sessions are looked at in one transaction: some 150
	// pages.
	sweepStep = 1000

	// maxSweep is how many are deleted in one, which waits for its turn like
	// every other change.
	maxSweep = 256

	// passRest is the rest after a pass over all, in rests after a step.
	passRest = 240
)

// sweep deletes what has expired, a little at a time, until the file or the store
// ends.
func (s *Store) sweep(f *file) {
	var next []byte // where to go on
	for {
		rest := s.o.SweepInterval
		if next == nil {
			rest *= passRest
		}
		select {
		case <-s.quit:
			return
		case <-f.alive.Done():
			return
		case <-time.After(rest):
		}
		expired, after, err := s.expired(f, next)
		next = after
		for len(expired) > 0 && err == nil {
			o := &op{kind: sweepOp, keys: expired[:min(maxSweep, len(expired))]}
			expired = expired[len(o.keys):]
			if err = f.commits.Do(f.alive, o); err == nil {
				err = o.err
			}
		}
		if err != nil && f.alive.Err() == nil {
			s.o.OnError(fmt.Errorf("deleting expired sessions: %w", err))
			next = nil // and a long rest
		}
	}
}

// expired looks at the next sessions from a key on. It returns which have
// expired, and where the next step begins; nil at the end.
func (s *Store) expired(f *file, from []byte) (keys [][]byte, next []byte, err error) {
	now := s.now()
	err = f.view(func(b *bbolt.Bucket) error {
		c := b.Cursor()
		key, raw := c.Seek(from)
		for range sweepStep {
			if key == nil {
				return nil
			}
			if r, err := readRecord(raw, now); err == nil && r.value == nil {
				keys = append(keys, bytes.Clone(key))
			}
			key, raw = c.Next()
		}
		next = bytes.Clone(key)
		return nil
	})
	return keys, next, err
}
