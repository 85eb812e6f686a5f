package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// Check reports whether the file under path could be used. It is nil for one that
// is fine, for one that is empty, and for one that is not there and could be made; else it is [ErrDamaged], [ErrForeign] or
// what the operating system says. It reads a few pages, creates nothing, and
// neither takes a lock nor minds one; see [Held].
func Check(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return folder.Usable(filepath.Dir(path))
	case err != nil:
		return err
	case !info.Mode().IsRegular(): // opening a pipe would not return
		return fmt.Errorf("%s: %w: it is not a regular file", path, ErrForeign)
	}
	if err := folder.CanWrite(path); err != nil {
		return err
	}
	fd, err := os.Open(path)
	if err != nil {
		return err
	}
	defer fd.Close()
	if info.Size() == 0 {
		return nil
	}
	if _, err := check(fd); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// check looks at all that is not a session. A process that holds the file may
// write to it meanwhile, so what looks wrong is looked at again when there was
// another transaction.
func check(fd *os.File) (t *tree, err error) {
	var last uint64
	for range 100 {
		info, err := fd.Stat()
		if err != nil {
			return nil, err
		}
		t, err = checkOnce(fd, info.Size())
		if err == nil || t == nil || t.meta.transaction == last {
			return t, err
		}
		last = t.meta.transaction
	}
	return t, nil // somebody writes to it all the time: it cannot be that bad
}

// checkOnce returns the tree as soon as it has found one.
func checkOnce(r io.ReaderAt, size int64) (*tree, error) {
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	m, err := readMeta(r, size)
	if err != nil {
		return nil, err
	}
	t := &tree{r: r, meta: m}
	if whole := int64(m.pages) * int64(m.pageSize); size < whole {
		return t, fmt.Errorf("%w: of %d bytes only %d are there", ErrDamaged, whole, size)
	}
	if err := t.checkFree(func(uint64) bool { return false }); err != nil {
		return t, err
	}
	return t, t.checkFormat()
}

// checkFormat makes sure that the file is one of this package's.
func (t *tree) checkFormat() error {
	info, found, err := t.find(ref{root: t.meta.root}, infoBucket)
	if err != nil {
		return err
	}
	if !found || !info.bucket {
		return fmt.Errorf("%w: it is a bolt file of another program", ErrForeign)
	}
	within, err := bucketRef(info.value)
	if err != nil {
		return err
	}
	is, found, err := t.find(within, formatKey)
	switch {
	case err != nil:
		return err
	case !found || is.bucket:
		return fmt.Errorf("%w: it does not say which format it has", ErrDamaged)
	case string(is.value) != format:
		return fmt.Errorf("%w: its format %.20q is newer than this program", ErrForeign, is.value)
	}
	sessions, found, err := t.find(ref{root: t.meta.root}, sessionsBucket)
	if err == nil && (!found || !sessions.bucket) {
		err = fmt.Errorf("%w: it has lost its sessions", ErrDamaged)
	}
	return err
}

// ref is where a bucket is: under a root page, or inline.
type ref struct {
	root   uint64
	inline []byte
}

func bucketRef(value []byte) (ref, error) {
	if len(value) < bucketLen {
		return ref{}, fmt.Errorf("%w: a bucket is cut short", ErrDamaged)
	}
	return ref{root: order.Uint64(value), inline: value[bucketLen:]}, nil
}

func (t *tree) open(b ref, buf []byte) (page, error) {
	if b.root == 0 {
		return inline(b.inline)
	}
	return t.read(b.root, buf)
}

// maxDepth is how deep a tree can be that is no circle.
const maxDepth = 64

// find looks for a key in a bucket.
func (t *tree) find(b ref, key []byte) (element, bool, error) {
	p, err := t.open(b, nil)
	for range maxDepth {
		if err != nil {
			return element{}, false, err
		}
		if p.flags == freelistPage {
			break
		}
		at, exact := p.search(key)
		if p.flags == leafPage {
			if !exact {
				return element{}, false, nil
			}
			return p.element(at), true, nil
		}
		if !exact && at > 0 {
			at--
		}
		p, err = t.read(p.element(at).child, nil)
	}
	return element{}, false, fmt.Errorf("%w: page %d", ErrDamaged, p.id)
}

// search returns the place of the first element that is not before key.
func (p page) search(key []byte) (at int, exact bool) {
	for at = range p.count {
		if c := bytes.Compare(p.element(at).key, key); c >= 0 {
			return at, c == 0
		}
	}
	return p.count, false
}
