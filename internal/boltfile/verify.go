package boltfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds a tree of pages. A tree of all pages that a file can have is less deep.
const maxDepth = 64

// verify makes sure that all pages in use are as bbolt expects them, and that none of them is on
// the list of free pages: bbolt would overwrite it.
func (f *file) verify(ctx context.Context) error {
	if err := f.prefetch(ctx); err != nil {
		return err
	}
	f.used = make([]uint64, f.pages/64+1)
	root, err := f.page(f.root, f.buf(0))
	if err == nil {
		err = f.walk(ctx, root, new(keys), 0)
	}
	if err != nil {
		return err
	}
	return f.checkFreelist()
}

// prefetch reads the file from start to end. So a cold disk need not fetch its pages one by one,
// for verify and for bbolt, which turns off the system's reading ahead.
func (f *file) prefetch(ctx context.Context) error {
	whole := io.NewSectionReader(f.r, 0, f.offset(f.pages))
	buf := make([]byte, 1<<20)
	for ctx.Err() == nil {
		_, err := io.ReadFull(whole, buf)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// keys checks the order of the keys of a bucket, from the first page to the last.
type keys struct {
	last   []byte
	branch bool // last is a key of a branch page, which the first key below it equals
}

func (k *keys) inOrder(p page, e element) bool {
	c := bytes.Compare(e.key, k.last)
	ok := k.branch && c == 0 || !k.branch && c > 0
	k.last, k.branch = append(k.last[:0], e.key...), p.kind == branchPage
	return ok
}

// walk verifies a page and those below it.
func (f *file) walk(ctx context.Context, p page, k *keys, depth int) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case depth >= maxDepth:
		return p.corrupt("the tree is too deep")
	case !p.isTree(k.branch):
		return p.corrupt("page type is corrupt")
	}
	if err := f.use(p); err != nil {
		return err
	}
	size := pageHead
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		size += e.size()
		if !k.inOrder(p, e) {
			return p.corrupt("keys are out of order")
		}
		var below page
		within := k
		switch {
		case p.kind == branchPage:
			below, err = f.page(e.child, f.buf(depth+1))
		case e.bucket:
			below, err = f.bucket(e.value, f.buf(depth+1))
			within = new(keys)
		default:
			continue
		}
		if err == nil {
			err = f.walk(ctx, below, within, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return f.checkOverflow(p, size)
}

// buf returns the buffer of a level: the pages above are in use while those below are read.
func (f *file) buf(depth int) []byte {
	for len(f.bufs) <= depth {
		f.bufs = append(f.bufs, make([]byte, f.pageSize))
	}
	return f.bufs[depth]
}

// use marks a page as used, once verify has begun.
func (f *file) use(p page) error {
	if p.id == 0 || f.used == nil {
		return nil
	}
	for id := p.id; id <= p.id+p.overflow; id++ {
		if f.isUsed(id) {
			return fmt.Errorf("%w: page %d is used twice", ErrDamaged, id)
		}
		f.used[id/64] |= 1 << (id % 64)
	}
	return nil
}

func (f *file) isUsed(id uint64) bool { return f.used != nil && f.used[id/64]&(1<<(id%64)) != 0 }

// checkFreelist makes sure that the list of free pages, if there is one, is in order and names no
// page twice, nor one that has been verified.
func (f *file) checkFreelist() error {
	if f.freelist == noFreelist {
		return nil
	}
	p, err := f.page(f.freelist, nil)
	if err != nil {
		return err
	}
	list, n := p.data[pageHead:], uint64(p.count)
	if n == 0xFFFF { // the number is too large for its field
		n, list = order.Uint64(list), list[8:]
	}
	if p.kind != freePages || n > uint64(len(list)/8) {
		return p.corrupt("list of free pages is corrupt")
	}
	if err := f.use(p); err != nil {
		return err
	}
	last := uint64(1)
	for i := range n {
		id := order.Uint64(list[i*8:])
		switch {
		case id <= last || id >= f.pages:
			return p.corrupt("list of free pages is out of order")
		case f.isUsed(id):
			return p.corrupt(fmt.Sprintf("list of free pages names page %d, which is in use", id))
		}
		last = id
	}
	return nil
}
