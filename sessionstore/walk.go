package sessionstore

import (
	"context"
	"errors"
)

// Walker is implemented by the stores that can list their records.
type Walker interface {
	// Walk returns a page of the live records whose keys begin with prefix. after is empty for the
	// first page. For the others, it is the Next of the page before. All pages of a walk have the
	// same prefix and come from the same open store.
	//
	// A record that exists during the whole walk is returned at least once. One that is created,
	// changed or deleted meanwhile may be returned, in one of its forms, or not. An expired record
	// is never returned.
	//
	// limit is 1 to [MaxPage]. A page costs about as much as reading that many records, even if the
	// store has many more. So it may have fewer records, or none, although others follow. If a
	// server decides, it may have a few more. It ends early when its records take 4 MiB. It blocks
	// no other operation. It leaves out records that cannot be read.
	//
	// An error that wraps [ErrCursor] means that the walk must begin again.
	Walk(ctx context.Context, prefix, after string, limit int) (Page, error)
}

// MaxPage is the largest limit of a page.
const MaxPage = 1000

// maxPageBytes is the size of the records of a page at which it ends, in bytes.
const maxPageBytes = 4 << 20

// ErrCursor means that a walk cannot go on where the last page ended.
var ErrCursor = errors.New("the walk cannot go on here: begin it anew")

// Page is a part of the records of a store.
type Page struct {
	// Records are the records, in no order.
	Records []Keyed

	// Next is where the next page begins. It is empty after the last page.
	Next string

	bytes int
}

// Keyed is a record with its key.
type Keyed struct {
	// Key is the key of the record in the store.
	Key string

	Entry
}

// Add adds a record. It reports whether the page is full.
func (p *Page) Add(key string, e Entry, limit int) (full bool) {
	p.Records = append(p.Records, Keyed{key, e})
	p.bytes += len(e.Value)
	return len(p.Records) >= limit || p.bytes >= maxPageBytes
}

// Pair is implemented by the stores that move records from one store to another.
type Pair interface {
	// Sides returns the old store and the new one.
	Sides() (from, to Store)
}

// Counter is implemented by the stores that know how many records they have.
type Counter interface {
	// Count returns the number of records at once, without I/O. Expired ones may count until they
	// are deleted. It reports false if the number is not known yet.
	Count() (n int64, ok bool)
}

// Spacer is implemented by the stores that keep their records in one file.
type Spacer interface {
	// Space returns the size of the file and the free space in it, in bytes, at once. It reports
	// false while the file is not open.
	Space() (size, free int64, ok bool)
}
