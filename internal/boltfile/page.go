package boltfile

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	pageHead    = 16 // page number uint64; type, element count uint16; further pages uint32
	elementLen  = 16
	bucketHead  = 16 // root page, sequence uint64
	branchPage  = 0x01
	leafPage    = 0x02
	freePages   = 0x10
	bucketValue = 0x01 // a flag of an element

	// maxPage bounds the memory that a page takes. A list of ten million free pages fits.
	maxPage = 80 << 20
)

// order is the machine's, as bbolt writes its structs as they are.
var order = binary.NativeEndian

// file is a bbolt file that is read page by page.
type file struct {
	r io.ReaderAt
	meta
	data []byte   // what the root says of the bucket Data
	used []uint64 // a bit for each page that was verified
	bufs [][]byte // a page for each level of the tree
}

// page is a page together with those that continue it.
type page struct {
	id       uint64 // 0 for a bucket that is stored inline, in place of its page number
	kind     uint16
	count    int
	overflow uint64 // how many pages continue it
	data     []byte
}

// element is an entry of a page.
type element struct {
	key, value []byte
	bucket     bool
	child      uint64 // the page below, of a branch page
}

func (e element) size() int { return elementLen + len(e.key) + len(e.value) }

func (p page) corrupt(what string) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, p.id, what)
}

func header(data []byte) page {
	return page{
		id: order.Uint64(data), kind: order.Uint16(data[8:]), count: int(order.Uint16(data[10:])),
		overflow: uint64(order.Uint32(data[12:])), data: data,
	}
}

// page reads a page, into buf if it is large enough.
func (f *file) page(id uint64, buf []byte) (page, error) {
	if id < 2 || id >= f.pages {
		return page{}, fmt.Errorf("%w: page %d is outside of the file, which has %d", ErrDamaged, id, f.pages)
	}
	if int64(cap(buf)) < f.pageSize {
		buf = make([]byte, f.pageSize)
	}
	buf = buf[:f.pageSize]
	if _, err := f.r.ReadAt(buf, f.offset(id)); err != nil {
		return page{}, fmt.Errorf("reading page %d: %w", id, err)
	}
	p := header(buf)
	if p.id != id || id+p.overflow >= f.pages || f.offset(p.overflow+1) > maxPage {
		p.id = id
		return page{}, p.corrupt("page header is corrupt")
	}
	if p.overflow > 0 {
		p.data = make([]byte, f.offset(p.overflow+1))
		if _, err := f.r.ReadAt(p.data, f.offset(id)); err != nil {
			return page{}, fmt.Errorf("reading page %d: %w", id, err)
		}
	}
	return p, nil
}

// checkOverflow compares how many pages continue p with its size: bbolt frees them together.
func (f *file) checkOverflow(p page, size int) error {
	if p.id != 0 && int64(p.overflow) != int64(size-1)/f.pageSize {
		return p.corrupt("page header is corrupt")
	}
	return nil
}

// bucket returns the root page of a bucket, whose value holds its number, or all of a small bucket.
func (f *file) bucket(value, buf []byte) (page, error) {
	if len(value) >= bucketHead && order.Uint64(value) != 0 {
		return f.page(order.Uint64(value), buf)
	}
	if len(value) < bucketHead+pageHead {
		return page{}, fmt.Errorf("%w: bucket header is cut short", ErrDamaged)
	}
	p := header(value[bucketHead:])
	if p.id = 0; p.kind != leafPage {
		return page{}, fmt.Errorf("%w: bucket header is corrupt", ErrDamaged)
	}
	return p, nil
}

// isTree reports whether it is a leaf or branch page. It is empty only if it is a leaf and has no
// parent.
func (p page) isTree(parent bool) bool {
	return p.kind == leafPage && (p.count > 0 || !parent) || p.kind == branchPage && p.count > 0
}

// element returns an entry of a leaf or branch page. It lies within the page.
func (p page) element(i int) (element, error) {
	at := min(pageHead+i*elementLen, len(p.data))
	e := p.data[at:]
	if len(e) < elementLen {
		return element{}, p.corrupt("number of elements is corrupt")
	}
	var flags, pos, keyLen, valueLen uint32
	var child uint64
	if p.kind == branchPage {
		pos, keyLen, child = order.Uint32(e), order.Uint32(e[4:]), order.Uint64(e[8:])
	} else {
		flags, pos, keyLen, valueLen = order.Uint32(e), order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
	}
	value := uint64(pos) + uint64(keyLen)
	end := value + uint64(valueLen)
	if keyLen == 0 || end > uint64(len(e)) {
		return element{}, p.corrupt("an element is corrupt")
	}
	return element{key: e[pos:value], value: e[value:end], bucket: flags&bucketValue != 0, child: child}, nil
}

// find returns the entry of a leaf page under a key, or none. The buckets of our files, and what is
// in the first of them, are few enough for one page.
func (p page) find(key string) (element, error) {
	if p.kind != leafPage && p.kind != branchPage {
		return element{}, p.corrupt("page type is corrupt")
	}
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return element{}, err
		}
		if p.kind == leafPage && string(e.key) == key {
			return e, nil
		}
	}
	return element{}, nil
}
