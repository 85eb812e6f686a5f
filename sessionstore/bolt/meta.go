package bolt

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// meta is what a meta page says.
type meta struct {
	pageSize    uint32
	root        uint64
	freelist    uint64
	pages       uint64 // how many the file has
	transaction uint64
}

// readMeta reads the meta page that bbolt would go by, in the way that bbolt
// does: the first says where the second is, and the later transaction counts.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	first, err := metaAt(r, 0)
	if err == nil {
		second, err := metaAt(r, int64(first.pageSize))
		switch {
		case err != nil || second.transaction <= first.transaction:
			return first, first.check(int64(first.pageSize))
		default:
			return second, second.check(int64(first.pageSize))
		}
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

// errNoMeta is what has no likeness to a meta page.
var errNoMeta = fmt.Errorf("%w: it is not a bolt file", ErrForeign)

// metaAt reads the meta page at an offset, if there is one and it is whole.
func metaAt(r io.ReaderAt, offset int64) (meta, error) {
	var buf [metaLen]byte
	if _, err := r.ReadAt(buf[:], offset+pageHead); err != nil || order.Uint32(buf[:]) != boltMagic {
		return meta{}, errNoMeta
	}
	sum := fnv.New64a()
	_, _ = sum.Write(buf[:metaLen-8])
	switch version := order.Uint32(buf[4:]); {
	case version != boltVersion:
		return meta{}, fmt.Errorf("%w: it is a bolt file of version %d", ErrForeign, version)
	case sum.Sum64() != order.Uint64(buf[metaLen-8:]):
		return meta{}, fmt.Errorf("%w: no meta page is whole", ErrDamaged)
	}
	return meta{
		pageSize:    order.Uint32(buf[8:]),
		root:        order.Uint64(buf[16:]),
		freelist:    order.Uint64(buf[32:]),
		pages:       order.Uint64(buf[40:]),
		transaction: order.Uint64(buf[48:]),
	}, nil
}

// check makes sure that the sizes are possible.
func (m meta) check(pageSize int64) error {
	size := int64(m.pageSize)
	if size != pageSize || size < minPageSize || size > maxPageSize || size&(size-1) != 0 || m.pages > 1<<38 {
		return fmt.Errorf("%w: its meta page is impossible", ErrDamaged)
	}
	return nil
}
