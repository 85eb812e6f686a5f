package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/internal/combiner"
	"github.com/caddy-session/caddy-session/internal/folder"
)

// maxSyncedFree is the number of free pages up to which their list is written with every
// transaction. Such a list takes one page. Without it, bbolt reads the whole file to find the free
// pages when it opens the file after a crash, which then takes twice as long, and when a
// transaction fails, as each does on a full disk. A long list, as after a mass deletion, would cost
// more than the rest of the transaction: 6.5 ms at 190,000 free pages instead of 0.3.
const maxSyncedFree = 512

// file is an open file, locked by this process.
type file struct {
	db      *bbolt.DB
	fd      *os.File // the descriptor that db uses and that has the lock
	commits *combiner.Combiner[*op]
	cache   *cache
	place   *folder.Place

	// alive ends when the file has become unusable and must be opened again.
	alive context.Context
	lose  context.CancelFunc

	writing sync.Mutex
	// Guarded by writing:
	arena   []byte
	unsaved bool // what can be read may not be on disk
	synced  bool // the list of free pages is on disk
}

// view calls do with the sessions, in a transaction that does not wait for writers.
func (f *file) view(do func(*bbolt.Bucket) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var tx *bbolt.Tx
	defer func() {
		if p := recover(); p != nil {
			err = f.survive(p, tx)
		}
		if tx != nil {
			f.rollback(tx)
		}
	}()
	if tx, err = f.begin(false); err != nil {
		return err
	}
	b := tx.Bucket(sessionsBucket)
	if b == nil {
		return errNoSessions
	}
	return do(b)
}

// update calls do with the sessions, in the only transaction that can change them. It returns when
// the changes are on disk. do returns the keys that it has changed. If it returns none or an error,
// nothing is written.
func (f *file) update(do func(*bbolt.Bucket) ([]string, error)) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f.writing.Lock()
	defer f.writing.Unlock()
	var tx *bbolt.Tx
	defer func() {
		if p := recover(); p != nil {
			err = f.survive(p, tx)
		}
		if tx != nil {
			f.rollback(tx)
		}
		f.unsaved = f.unsaved || err != nil
	}()
	if tx, err = f.begin(true); err != nil {
		return err
	}
	b := tx.Bucket(sessionsBucket)
	if b == nil {
		return errNoSessions
	}
	changed, err := do(b)
	if err != nil || len(changed) == 0 && !f.unsaved {
		return err
	}
	// What is written to a file that was removed is lost when the process ends.
	if err := f.place.Check(); err != nil {
		return err
	}
	f.cache.hold(changed)
	defer f.cache.release(changed)
	stats := f.db.Stats()
	return f.commit(tx, stats.FreePageN+stats.PendingPageN <= maxSyncedFree)
}

// commit writes a transaction, with the list of free pages or without.
func (f *file) commit(tx *bbolt.Tx, sync bool) error {
	f.db.NoFreelistSync = !sync
	if err := tx.Commit(); err != nil {
		return err
	}
	f.synced, f.unsaved = sync, false
	return nil
}

func (f *file) begin(writable bool) (*bbolt.Tx, error) {
	if f.alive.Err() != nil {
		return nil, errLost
	}
	tx, err := f.db.Begin(writable)
	switch {
	case errors.Is(err, berrors.ErrInvalidMapping):
		f.lose() // bbolt could not map the larger file
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		err = errClosed
	}
	return tx, err
}

var (
	errLost       = errors.New("it is being opened again")
	errNoSessions = fmt.Errorf("%w: the bucket %q is missing", boltfile.ErrDamaged, sessionsBucket)
)

// survive makes an error of a panic in bbolt, which happens on damaged pages only. A panic while a
// transaction begins leaves bbolt's locks held, and the file unusable.
func (f *file) survive(p any, tx *bbolt.Tx) error {
	if tx == nil {
		f.lose()
	}
	return panicError(p)
}

// panicError leaves out keys, which bbolt writes in hexadecimal digits.
func panicError(p any) error {
	what, _, _ := strings.Cut(fmt.Sprint(p), "(hex)")
	return fmt.Errorf("%w: %s", boltfile.ErrDamaged, what)
}

// rollback ends a transaction, if it is not committed.
func (f *file) rollback(tx *bbolt.Tx) {
	defer func() {
		if recover() != nil {
			f.lose()
		}
	}()
	_ = tx.Rollback()
}

// close waits for transactions under way, and closes the file with its list of free pages in it, so
// that it opens fast.
func (f *file) close() (err error) {
	if f.alive.Err() != nil {
		return f.abandon()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(f.survive(p, nil), f.abandon())
		}
	}()
	return errors.Join(f.saveFree(), f.db.Close())
}

// saveFree writes the list of free pages, unless the last transaction has.
func (f *file) saveFree() error {
	f.writing.Lock()
	defer f.writing.Unlock()
	if f.synced {
		return nil
	}
	tx, err := f.begin(true)
	if err != nil {
		return err
	}
	defer f.rollback(tx)
	return f.commit(tx, true)
}

// abandon gives up a file whose locks within bbolt may be held for ever. Its memory map stays.
func (f *file) abandon() error {
	// A transaction that is not stuck ends in this time. Later it must not write any more, as the
	// file may belong to another process.
	locked := f.writing.TryLock()
	for end := time.Now().Add(abandonAfter); !locked && time.Now().Before(end); locked = f.writing.TryLock() {
		time.Sleep(abandonAfter / 100)
	}
	if locked {
		defer f.writing.Unlock()
	}
	folder.Unlock(f.fd)
	return f.fd.Close()
}

// abandonAfter is how long to wait for a transaction that may be stuck.
const abandonAfter = time.Second
