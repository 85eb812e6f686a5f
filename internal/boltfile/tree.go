package boltfile

import (
	"bytes"
	"os"
	"sort"
)

// Tree verifies the pages that a transaction is about to change. bbolt writes what it reads there
// to new pages, and finds a page within its parent by its first key. If that key is damaged, the
// parent keeps the old page, which bbolt then gives to others: so the damage of one page spreads.
type Tree struct {
	f    *file
	root page
	seen map[uint64]verified
}

type verified struct {
	page // without its data, if it is a leaf
	err  error
}

// OpenTree verifies the pages that every transaction changes. The caller has begun the only
// transaction that can change the file. The tree is valid until that transaction ends.
func OpenTree(fd *os.File, l Layout) (*Tree, error) {
	f, err := check(fd, l)
	if err != nil {
		return nil, err
	}
	buckets, err := f.page(f.root, nil)
	if err == nil {
		err = f.whole(buckets, nil, true)
	}
	if err != nil {
		return nil, err
	}
	t := &Tree{f: f, seen: make(map[uint64]verified)}
	if t.root, err = f.bucket(f.data, nil); err == nil {
		err = f.whole(t.root, nil, false)
	}
	return t, err
}

// CanPut reports why a key of the bucket Data must not be put.
func (t *Tree) CanPut(key []byte) error { return t.path(key, 0) }

// CanDelete reports why a key of the bucket Data must not be deleted. bbolt may merge the pages
// that get smaller with those beside them.
func (t *Tree) CanDelete(key []byte) error { return t.path(key, 1) }

// path verifies the pages from the root to a key, and so many on both sides.
func (t *Tree) path(key []byte, beside int) error {
	p := t.root
	for range maxDepth {
		if p.kind == leafPage {
			return nil
		}
		i := p.search(key)
		below, err := t.child(p, i)
		if err != nil {
			return err
		}
		for j := max(i-beside, 0); j <= min(i+beside, p.count-1); j++ {
			other, err := t.child(p, j)
			if err != nil {
				return err
			}
			if other.kind != below.kind {
				return other.corrupt("page type is corrupt")
			}
		}
		p = below
	}
	return p.corrupt("the tree is too deep")
}

// search returns which page below a branch page has the key. The elements are in order.
func (p page) search(key []byte) int {
	after := sort.Search(p.count, func(i int) bool {
		e, err := p.element(i)
		return err != nil || bytes.Compare(e.key, key) > 0
	})
	return max(after-1, 0)
}

// child returns a page below a branch page.
func (t *Tree) child(parent page, i int) (page, error) {
	e, err := parent.element(i)
	if err != nil {
		return page{}, err
	}
	v, ok := t.seen[e.child]
	if !ok {
		if v.page, v.err = t.f.page(e.child, t.f.buf(0)); v.err == nil {
			v.err = t.f.whole(v.page, e.key, false)
		}
		if v.kind == leafPage {
			v.data = nil
		} else {
			v.data = bytes.Clone(v.data) // the buffer is for all pages
		}
		t.seen[e.child] = v
	}
	return v.page, v.err
}

// whole verifies a page on its own. If it has a parent, first is its key there. Its elements are
// buckets, or none of them is.
func (f *file) whole(p page, first []byte, buckets bool) error {
	if !p.isTree(first != nil) {
		return p.corrupt("page type is corrupt")
	}
	size, last := pageHead, first
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		same, c := i == 0 && first != nil, bytes.Compare(e.key, last)
		if c < 0 || same != (c == 0) {
			return p.corrupt("keys are out of order")
		}
		if p.kind == leafPage && e.bucket != buckets {
			return p.corrupt("an element is corrupt")
		}
		size += e.size()
		last = e.key
	}
	return f.checkOverflow(p, size)
}
