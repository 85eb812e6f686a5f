package sql

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/caddy-session/caddy-session/internal/remote"
)

const (
	// sweepBatch is the maximum number of records that one statement deletes, so that it holds
	// locks only briefly.
	sweepBatch = 200

	// sweepPause is the wait between two batches.
	sweepPause = 20 * time.Millisecond

	// sweepTimeout bounds a batch.
	sweepTimeout = 10 * time.Second
)

// sweepLoop deletes expired records until the store is closed. Every process does so; a random
// interval spreads the load.
func (s *Store) sweepLoop() {
	for {
		interval := s.opts.SweepInterval
		if !s.sleep(interval/2 + time.Duration(rand.Int64N(int64(interval)))) {
			return
		}
		if err := s.sweep(); err != nil && s.closing.Err() == nil && s.opts.OnSweepError != nil {
			s.opts.OnSweepError(err)
		}
	}
}

func (s *Store) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.closing.Done():
		return false
	}
}

// sweep deletes expired records in batches.
func (s *Store) sweep() error {
	for !s.breaker.Open() {
		n, err := s.sweepSome()
		if err != nil || n < sweepBatch || !s.sleep(sweepPause) {
			return err
		}
	}
	return nil
}

func (s *Store) sweepSome() (int64, error) {
	ctx, cancel := context.WithTimeout(s.closing, sweepTimeout)
	defer cancel()
	if err := s.writers.acquire(ctx); err != nil {
		return 0, err
	}
	defer s.writers.release()
	db := s.writers.db()
	n, err := s.writers.exec(ctx, s.texts.sweep, sweepBatch)
	if err == nil {
		return n, nil
	}
	fault, _ := s.classify(ctx, err, time.Now())
	if fault.Kind == Transient || fault.Kind == ReadOnly && s.writers.renew(db) {
		return 0, nil // sessions have priority
	}
	return 0, remote.Redact(ctx, err, fault.Text)
}
