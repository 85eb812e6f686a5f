package bolt

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The layout of a bbolt file, as far as it takes to look at one without bbolt,
// which maps it into memory and dies of what it does not expect there. It is
// written in the byte order of the machine.
const (
	pageHead   = 16 // id uint64, flags, count uint16, overflow uint32
	metaLen    = 64 // magic, version, page size, flags uint32; root, sequence, free list, pages, transaction, checksum uint64
	elementLen = 16
	bucketLen  = 16 // root, sequence uint64

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	noFreelist = ^uint64(0)

	minPageSize = 1 << 10
	maxPageSize = 16 << 20
	// maxPage is the largest page that is believed, in bytes; a list of ten
	// million free pages fits.
	maxPage = 80 << 20
)

var order = binary.NativeEndian

// tree is a bbolt file that is read page by page.
type tree struct {
	r    io.ReaderAt
	meta meta
}

// page is a page with those that it goes on in.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	data     []byte
}

// element is an entry of a page.
type element struct {
	key, value []byte
	bucket     bool
	child      uint64 // of a branch page
}

// read reads a page, into buf if there is room.
func (t *tree) read(id uint64, buf []byte) (page, error) {
	size := uint64(t.meta.pageSize)
	if id < 2 || id >= t.meta.pages {
		return page{}, fmt.Errorf("%w: a page %d of %d", ErrDamaged, id, t.meta.pages)
	}
	if uint64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := t.r.ReadAt(buf, int64(id*size)); err != nil {
		return page{}, fmt.Errorf("reading page %d: %w", id, err)
	}
	p := page{id: order.Uint64(buf), flags: order.Uint16(buf[8:]), count: int(order.Uint16(buf[10:])), overflow: uint64(order.Uint32(buf[12:])), data: buf}
	if p.id != id || id+p.overflow >= t.meta.pages || (p.overflow+1)*size > maxPage {
		return page{}, fmt.Errorf("%w: page %d is not one", ErrDamaged, id)
	}
	if p.overflow > 0 {
		p.data = make([]byte, (p.overflow+1)*size)
		if _, err := t.r.ReadAt(p.data, int64(id*size)); err != nil {
			return page{}, fmt.Errorf("reading page %d: %w", id, err)
		}
	}
	return p, p.check()
}

// inline reads the page that stands in place of a small bucket.
func inline(data []byte) (page, error) {
	if len(data) < pageHead {
		return page{}, fmt.Errorf("%w: a bucket is cut short", ErrDamaged)
	}
	p := page{flags: order.Uint16(data[8:]), count: int(order.Uint16(data[10:])), data: data}
	if p.flags != leafPage {
		return page{}, fmt.Errorf("%w: a bucket is none", ErrDamaged)
	}
	return p, p.check()
}

// check makes sure that all elements lie within the page.
func (p page) check() error {
	damaged := func() error { return fmt.Errorf("%w: page %d", ErrDamaged, p.id) }
	switch p.flags {
	case freelistPage:
		return nil
	case leafPage, branchPage:
	default:
		return damaged()
	}
	if pageHead+p.count*elementLen > len(p.data) || p.flags == branchPage && p.count == 0 {
		return damaged()
	}
	for i := range p.count {
		e := p.data[pageHead+i*elementLen:]
		pos, length := order.Uint32(e), uint64(order.Uint32(e[4:]))
		if p.flags == leafPage {
			pos, length = order.Uint32(e[4:]), uint64(order.Uint32(e[8:]))+uint64(order.Uint32(e[12:]))
		}
		if p.keyLen(i) == 0 || uint64(pos)+length > uint64(len(e)) {
			return damaged()
		}
	}
	return nil
}

func (p page) keyLen(i int) int {
	e := p.data[pageHead+i*elementLen:]
	if p.flags == leafPage {
		return int(order.Uint32(e[8:]))
	}
	return int(order.Uint32(e[4:]))
}

// element returns an entry of a page that has been checked.
func (p page) element(i int) element {
	e := p.data[pageHead+i*elementLen:]
	n := uint32(p.keyLen(i))
	if p.flags == branchPage {
		pos := order.Uint32(e)
		return element{key: e[pos : pos+n], child: order.Uint64(e[8:])}
	}
	pos, vn := order.Uint32(e[4:]), order.Uint32(e[12:])
	return element{key: e[pos : pos+n], value: e[pos+n : pos+n+vn], bucket: order.Uint32(e)&bucketFlag != 0}
}
