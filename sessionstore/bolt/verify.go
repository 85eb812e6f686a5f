package bolt

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// verify makes sure that bbolt can use the file, which must be locked: all pages
// that are in use are as they should be, and none of them is on the list of free
// pages. It takes half a second for a million sessions. synced reports whether
// there is such a list; if not, as after some crashes, bbolt finds out by itself.
func verify(fd *os.File, quit <-chan struct{}) (synced bool, err error) {
	t, err := check(fd)
	if err != nil {
		return false, err
	}
	v := &verifier{tree: t, used: make([]uint64, t.meta.pages/64+1), quit: quit}
	if err := v.prefetch(); err != nil {
		return false, err
	}
	if err := v.bucket(ref{root: t.meta.root}, 0); err != nil {
		return false, err
	}
	return t.meta.freelist != noFreelist, t.checkFree(v.isUsed)
}

// checkFree checks the list of free pages: no page is on it twice, nor one that
// is in use.
func (t *tree) checkFree(used func(id uint64) bool) error {
	if t.meta.freelist == noFreelist {
		return nil
	}
	p, err := t.read(t.meta.freelist, nil)
	if err != nil {
		return err
	}
	list, n := p.data[pageHead:], uint64(p.count)
	if n == 0xFFFF { // the number is too large for its field
		n, list = order.Uint64(list), list[8:]
	}
	if p.flags != freelistPage || n > uint64(len(list)/8) {
		return fmt.Errorf("%w: its list of free pages is none", ErrDamaged)
	}
	last := uint64(1)
	for i := range n {
		id := order.Uint64(list[i*8:])
		if id <= last || id >= t.meta.pages || used(id) {
			return fmt.Errorf("%w: its list of free pages", ErrDamaged)
		}
		last = id
	}
	return nil
}

// verifier walks through all pages that are in use.
type verifier struct {
	*tree
	used []uint64 // a bit for each page
	bufs [][]byte // a page for each depth
	quit <-chan struct{}
}

func (v *verifier) isUsed(id uint64) bool { return v.used[id/64]&(1<<(id%64)) != 0 }

// prefetch reads the file from front to end, so that its pages, which are in no
// such order, need not be fetched one by one from a cold disk: by verify, and by
// bbolt, which switches reading ahead off.
func (v *verifier) prefetch() error {
	whole := io.NewSectionReader(v.r, 0, int64(v.meta.pages)*int64(v.meta.pageSize))
	buf := make([]byte, 1<<20)
	for {
		select {
		case <-v.quit:
			return errClosed
		default:
		}
		if _, err := io.ReadFull(whole, buf); err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (v *verifier) bucket(b ref, depth int) error {
	if b.root == 0 {
		p, err := inline(b.inline)
		if err != nil {
			return err
		}
		return v.page(p, nil, nil, depth)
	}
	return v.walk(b.root, nil, nil, depth)
}

// walk verifies a page whose keys must be from min to before max, where nil is no
// bound.
func (v *verifier) walk(id uint64, min, max []byte, depth int) error {
	if depth >= maxDepth {
		return fmt.Errorf("%w: page %d is too deep", ErrDamaged, id)
	}
	for len(v.bufs) <= depth {
		v.bufs = append(v.bufs, make([]byte, v.meta.pageSize))
	}
	p, err := v.read(id, v.bufs[depth])
	if err != nil {
		return err
	}
	for i := id; i <= id+p.overflow; i++ {
		if v.isUsed(i) {
			return fmt.Errorf("%w: page %d is used twice", ErrDamaged, i)
		}
		v.used[i/64] |= 1 << (i % 64)
	}
	return v.page(p, min, max, depth)
}

// page verifies the elements of a page, and what is below it.
func (v *verifier) page(p page, min, max []byte, depth int) error {
	select {
	case <-v.quit:
		return errClosed
	default:
	}
	if p.flags == freelistPage {
		return fmt.Errorf("%w: page %d", ErrDamaged, p.id)
	}
	for i := range p.count {
		e := p.element(i)
		if i > 0 && bytes.Equal(min, e.key) || min != nil && bytes.Compare(e.key, min) < 0 || max != nil && bytes.Compare(e.key, max) >= 0 {
			return fmt.Errorf("%w: page %d is out of order", ErrDamaged, p.id)
		}
		min = e.key
		var err error
		switch {
		case p.flags == branchPage:
			next := max
			if i+1 < p.count {
				next = p.element(i + 1).key
			}
			err = v.walk(e.child, e.key, next, depth+1)
		case e.bucket:
			var b ref
			if b, err = bucketRef(e.value); err == nil {
				err = v.bucket(b, depth+1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
