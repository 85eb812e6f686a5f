package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/internal/folder"
)

// compactStep is how many sessions are copied in one transaction.
const compactStep = 10_000

// Compact rewrites the file under path without expired sessions and without free space, which bbolt
// reuses but never returns to the system. It returns the size before and after, in bytes. If the
// file is open, in this process or another, that is [ErrHeld].
//
// The new file replaces the old one when it is complete and on disk. On any error, the end of ctx
// included, the old file stays unchanged.
func Compact(ctx context.Context, path string) (before, after int64, err error) {
	before, after, err = compact(ctx, path, time.Now().UnixMilli())
	if err != nil {
		return 0, 0, fmt.Errorf("compacting %s: %w", path, err)
	}
	return before, after, nil
}

func compact(ctx context.Context, path string, now int64) (before, after int64, err error) {
	// The file is replaced, not a link to it.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return 0, 0, err
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return 0, 0, cmp.Or(err, errIrregular)
	}
	fd, err := lockFile(path, func() error { return fs.ErrNotExist })
	if err != nil {
		return 0, 0, err
	}
	defer fd.Close() // releases the lock, when the new file is in place
	removeLeftovers(path)
	if _, err := boltfile.Verify(ctx, fd, layout); err != nil {
		return 0, 0, err
	}
	old, err := fd.Stat()
	if err != nil {
		return 0, 0, err
	}
	temp, err := newTemp(path, old.Mode().Perm())
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(temp)
	if err := sameOwner(temp, old); err != nil {
		return 0, 0, err
	}
	from, err := openBolt(path, fd, nil)
	if err != nil {
		return 0, 0, err
	}
	defer from.Close()
	if err := copySessions(ctx, from, temp, now); err != nil {
		return 0, 0, err
	}
	if err := Check(temp); err != nil {
		return 0, 0, err
	}
	if runtime.GOOS == "windows" {
		_ = from.Close() // an open file cannot be replaced on Windows
	}
	return replaceFile(temp, path, old.Size())
}

// replaceFile renames temp to path.
func replaceFile(temp, path string, before int64) (_, after int64, err error) {
	info, err := os.Stat(temp)
	if err != nil {
		return 0, 0, err
	}
	if err := os.Rename(temp, path); err != nil {
		return 0, 0, err
	}
	return before, info.Size(), folder.Sync(filepath.Dir(path))
}

// copySessions copies the live sessions into a new file, over an empty one.
func copySessions(ctx context.Context, from *bbolt.DB, temp string, now int64) error {
	if err := initialize(temp); err != nil {
		return err
	}
	// Synced once, at the end: nobody uses the file before.
	to, err := bbolt.Open(temp, fileMode, &bbolt.Options{
		NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return err
	}
	err = from.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(sessionsBucket).Cursor()
		key, raw := c.First()
		for key != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := to.Update(func(tx *bbolt.Tx) (err error) {
				key, raw, err = copyStep(tx.Bucket(sessionsBucket), c, key, raw, now)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

// copyStep copies live sessions from the cursor on, which is at key, and returns where it is then.
func copyStep(to *bbolt.Bucket, c *bbolt.Cursor, key, raw []byte, now int64) (_, _ []byte, err error) {
	to.FillPercent = 1 // keys come in order
	for n := 0; n < compactStep && key != nil; n++ {
		r, err := readRecord(raw, now)
		if err == nil && r.value != nil {
			err = to.Put(key, raw)
		}
		if err != nil {
			return nil, nil, err
		}
		key, raw = c.Next()
	}
	return key, raw, nil
}
