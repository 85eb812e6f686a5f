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

	"github.com/caddy-session/caddy-session/internal/combiner"
	"github.com/caddy-session/caddy-session/internal/folder"
)

// maxSyncedFree is up to how many free pages their list is written with every
// transaction. It is one page then, and without it bbolt reads the whole file to
// find what is free: when it opens the file after a crash, which takes twice as
// long then, and when a transaction fails, as every one does on a full disk.
// After a mass deletion, writing the list would cost more than all else: 6.5ms a
// transaction at 190,000 free pages, where leaving it out keeps them at 0.3.
const maxSyncedFree = 512

var (
	infoBucket     = []byte("caddy-session")
	sessionsBucket = []byte("sessions")
	formatKey      = []byte("format")
)

// format is the version of what the file holds.
const format = "1"

// file is an open file, locked by this process.
type file struct {
	db      *bbolt.DB
	fd      *os.File // the one that db uses and that holds the lock
	commits *combiner.Combiner[*op]
	cache   *cache
	place   *folder.Place

	// alive ends when the file has become unusable and must be opened anew.
	alive context.Context
	lose  context.CancelFunc

	writing sync.Mutex
	// These belong to whoever holds writing.
	arena   []byte
	unsaved bool // what can be read may not be on disk
	synced  bool // the list of free pages is on disk
}

// view calls do with the sessions, in a transaction that waits for no writer.
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
		return fmt.Errorf("%w: it has lost its sessions", ErrDamaged)
	}
	return do(b)
}

// update calls do with the sessions, in the one transaction that can change them,
// and returns when what do has changed is on disk. When do returns an error or
// no changes, nothing is written.
func (f *file) update(do func(*bbolt.Bucket) ([]written, error)) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f.writing.Lock()
	defer f.writing.Unlock()
	var tx *bbolt.Tx
	var changes []written
	defer func() {
		if p := recover(); p != nil {
			err = f.survive(p, tx)
		}
		if tx != nil {
			f.rollback(tx)
		}
		f.cache.release(changes, err != nil)
		f.unsaved = f.unsaved || err != nil
	}()
	if tx, err = f.begin(true); err != nil {
		return err
	}
	b := tx.Bucket(sessionsBucket)
	if b == nil {
		return fmt.Errorf("%w: it has lost its sessions", ErrDamaged)
	}
	changes, err = do(b)
	if err != nil || len(changes) == 0 && !f.unsaved {
		return err
	}
	// What is written to a file that has no name any more is lost with the process.
	if err := f.place.Check(); err != nil {
		return err
	}
	f.cache.hold(changes)
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
		f.lose() // bbolt could not map the file again when it grew
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		err = errClosed
	}
	return tx, err
}

var errLost = errors.New("it is being opened again")

// survive makes an error of a panic in bbolt, which happens on damaged pages
// only. One that bbolt has left with its locks held makes the file unusable.
func (f *file) survive(p any, tx *bbolt.Tx) error {
	if tx == nil {
		f.lose()
	}
	return panicError(p)
}

// panicError leaves out the keys that bbolt tells of.
func panicError(p any) error {
	what, _, _ := strings.Cut(fmt.Sprint(p), "(hex)")
	return fmt.Errorf("%w: %s", ErrDamaged, what)
}

// rollback ends a transaction; one that is committed already does not mind.
func (f *file) rollback(tx *bbolt.Tx) {
	defer func() {
		if recover() != nil {
			f.lose()
		}
	}()
	_ = tx.Rollback()
}

// close gives the file back, with its list of free pages, so that it opens fast.
// It waits for transactions under way.
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

// abandon gives up a file whose locks within bbolt may never be free again. What
// is mapped stays mapped.
func (f *file) abandon() error {
	// A transaction that is not stuck ends in this time. Afterwards, when the
	// file may be another's, it must not write anymore.
	locked := f.writing.TryLock()
	for end := time.Now().Add(abandonAfter); !locked && time.Now().Before(end); locked = f.writing.TryLock() {
		time.Sleep(abandonAfter / 100)
	}
	if locked {
		defer f.writing.Unlock()
	}
	unlock(f.fd)
	return f.fd.Close()
}

// abandonAfter is how long to wait for a transaction that may be stuck.
const abandonAfter = time.Second
