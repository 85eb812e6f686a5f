package bolt

import (
	"bytes"
	"fmt"
	"time"

	bbolt "go.etcd.io/bbolt"
)

const (
	// sweepInterval is the rest after a step. A pass over a million sessions takes four minutes.
	sweepInterval = 250 * time.Millisecond

	// sweepStep is how many sessions one transaction looks at: some 150 pages.
	sweepStep = 1000

	// maxSweep is how many sessions one op deletes. It queues like every other change.
	maxSweep = 256

	// passRest is the rest after a pass over all sessions, in sweep intervals.
	passRest = 240
)

// sweep deletes expired sessions in small steps, until the file or the store is closed.
func (s *Store) sweep(f *file) {
	var next []byte // where the next step begins
	for {
		rest := s.o.sweepInterval
		if next == nil {
			rest *= passRest
		}
		select {
		case <-s.alive.Done():
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
			next = nil // so the rest is long
		}
	}
}

// expired looks at the sessions from a key on. It returns the keys of the expired ones, and where
// the next step begins: nil after the last session.
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
