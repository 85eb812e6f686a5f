// Package boltfile looks for damage in a bbolt file before bbolt opens it, and in pages before
// bbolt changes them: bbolt maps the file into memory, trusts what it finds there, and ends the
// process or spreads the damage when that is wrong.
//
// bbolt's own check, with [debug.SetPanicOnFault] and recover around it, cannot take the place of
// this package. That was tried with the damage tests of sessionstore/bolt. bbolt checks a file, and
// rebuilds a missing list of free pages, in goroutines of its own, for which the setting does not
// hold: an element outside of the mapped memory ends the process. A branch page that names itself,
// or a page that claims to have 2^31 more, takes all memory, which nothing recovers from. And it
// does not report elements that are longer than their page, nor a file that is cut short within its
// last page.
package boltfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

var (
	// ErrDamaged means that the file is a bbolt file, and corrupt.
	ErrDamaged = errors.New("the file is damaged")

	// ErrForeign means that the file has no bbolt format, or another layout than the one asked for.
	ErrForeign = errors.New("the file holds something else")
)

// Layout says which buckets a file must have. A bucket Info holds Format under the key "format". A
// bucket Data holds the rest.
type Layout struct{ Info, Format, Data string }

// Check reads a few pages: those that say where the rest is, and what the file is. It takes no
// lock. As another process may write to the file, a file that looks damaged is read again if there
// was another transaction meanwhile.
func Check(fd *os.File, l Layout) error {
	_, err := check(fd, l)
	return err
}

func check(fd *os.File, l Layout) (f *file, err error) {
	var last uint64
	for range 100 {
		info, err := fd.Stat()
		if err != nil {
			return nil, err
		}
		f, err = load(fd, info.Size(), l)
		if err == nil || f == nil || f.transaction == last {
			return f, err
		}
		last = f.transaction
	}
	return f, nil // another process has changed it each time, so it can be read
}

// Verify reads all pages in use, which takes about 0.8 s for a million sessions. The caller holds
// the lock on the file. Afterwards bbolt can open the file. synced reports whether the list of free
// pages is in the file; if it is not, as after some crashes, bbolt rebuilds it from what was
// verified.
func Verify(ctx context.Context, fd *os.File, l Layout) (synced bool, err error) {
	f, err := check(fd, l)
	if err == nil {
		err = f.verify(ctx)
	}
	return err == nil && f.freelist != noFreelist, err
}

// load returns the file too when it has found its meta page and damage elsewhere.
func load(r io.ReaderAt, size int64, l Layout) (*file, error) {
	m, err := readMeta(r, size)
	if err != nil {
		return nil, err
	}
	f := &file{r: r, meta: m}
	if whole := f.offset(m.pages); size < whole {
		return f, fmt.Errorf("%w: it is cut short: it has %d of %d bytes", ErrDamaged, size, whole)
	}
	if err := f.checkFreelist(); err != nil {
		return f, err
	}
	return f, f.checkLayout(l)
}

func (f *file) checkLayout(l Layout) error {
	root, err := f.page(f.root, nil)
	if err != nil {
		return err
	}
	info, err := root.find(l.Info)
	if err != nil {
		return err
	}
	if !info.bucket {
		return fmt.Errorf("%w: it is a bolt file of another program", ErrForeign)
	}
	p, err := f.bucket(info.value, nil)
	if err != nil {
		return err
	}
	format, err := p.find("format")
	switch {
	case err != nil:
		return err
	case format.value == nil || format.bucket:
		return fmt.Errorf("%w: the key \"format\" is missing", ErrDamaged)
	case string(format.value) != l.Format:
		return fmt.Errorf("%w: its format %.20q is newer than this program", ErrForeign, format.value)
	}
	data, err := root.find(l.Data)
	if err == nil && !data.bucket {
		err = fmt.Errorf("%w: the bucket %q is missing", ErrDamaged, l.Data)
	}
	f.data = data.value
	return err
}
