package boltfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

const (
	// A meta page has, after its header: magic, version, page size, flags uint32; root, sequence,
	// list of free pages, number of pages, transaction, checksum uint64.
	metaLen = 64

	magic   = 0xED0CDAED
	version = 2

	minPageSize = 1 << 10
	maxPageSize = 16 << 20

	// noFreelist stands in place of a page: bbolt finds the free pages when it opens the file.
	noFreelist = ^uint64(0)
)

// meta is the content of a meta page.
type meta struct {
	pageSize    int64
	root        uint64
	freelist    uint64
	pages       uint64 // in the file
	transaction uint64
}

// readMeta chooses the meta page as bbolt does. The first page says where the second is; the later
// transaction counts. If the first is corrupt, the second is at one of the possible page sizes.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	first, err := metaAt(r, 0)
	if err == nil {
		if second, err := metaAt(r, first.pageSize); err == nil && second.transaction > first.transaction {
			return second, second.check(first.pageSize)
		}
		return first, first.check(first.pageSize)
	}
	for at := int64(minPageSize); at <= maxPageSize && at < size; at *= 2 {
		second, err2 := metaAt(r, at)
		if err2 == nil {
			return second, second.check(at)
		}
		if errors.Is(err, errNoMeta) {
			err = err2
		}
	}
	return meta{}, err
}

var errNoMeta = fmt.Errorf("%w: it is not a bolt file", ErrForeign)

// metaAt reads the meta page at an offset.
func metaAt(r io.ReaderAt, offset int64) (meta, error) {
	var buf [metaLen]byte
	if _, err := r.ReadAt(buf[:], offset+pageHead); err != nil || order.Uint32(buf[:]) != magic {
		return meta{}, errNoMeta
	}
	sum := fnv.New64a()
	_, _ = sum.Write(buf[:metaLen-8])
	switch v := order.Uint32(buf[4:]); {
	case v != version:
		return meta{}, fmt.Errorf("%w: it is a bolt file of version %d", ErrForeign, v)
	case sum.Sum64() != order.Uint64(buf[metaLen-8:]):
		return meta{}, fmt.Errorf("%w: the checksums of its meta pages are wrong", ErrDamaged)
	}
	return meta{
		pageSize:    int64(order.Uint32(buf[8:])),
		root:        order.Uint64(buf[16:]),
		freelist:    order.Uint64(buf[32:]),
		pages:       order.Uint64(buf[40:]),
		transaction: order.Uint64(buf[48:]),
	}, nil
}

// check compares the page size with the one by which the page was found, and checks the limits, so
// that no offset in the file overflows.
func (m meta) check(pageSize int64) error {
	size := m.pageSize
	if size != pageSize || size < minPageSize || size > maxPageSize || size&(size-1) != 0 || m.pages > 1<<38 {
		return fmt.Errorf("%w: meta page is corrupt", ErrDamaged)
	}
	return nil
}

func (m meta) offset(page uint64) int64 { return int64(page) * m.pageSize }
