package sessionstore

import (
	"context"
	"errors"
)

// Walker is implemented by the stores that can list their records.
type Walker interface {
	// Walk returns a page of the live records whose keys begin with prefix. after is empty for the
	// first page, then the Next of the page before. A walk goes on with the same prefix, and on the
	// same open store.
	//
	// A record that is there from the first page to the last is given at least once. One that is
	// created, changed or deleted meanwhile may be given, in one of its forms, or not. A record
	// that has expired is never given.
	//
	// A page costs about as much as reading limit records (1 to [MaxPage]), however many there are.
	// So it may have fewer than limit, or none, although others follow, and a few more where a
	// server decides. It ends early when its records take 4 MiB. It stops no other operation. A
	// record that cannot be read is left out.
	//
	// An error that wraps [ErrCursor] means that the walk must begin anew.
	Walk(ctx context.Context, prefix, after string, limit int) (Page, error)
}

// MaxPage is the largest limit of a page.
const MaxPage = 1000

// maxPageBytes is the size of the records of a page at which it ends, in bytes.
const maxPageBytes = 4 << 20

// ErrCursor means that a walk cannot go on from where the last page ended.
var ErrCursor = errors.New("the walk cannot go on here: begin it anew")

// Page is a part of the records of a store.
type Page struct {
	Records []Keyed

	// Next is where the next page begins. It is empty after the last page.
	Next string

	bytes int
}

// Keyed is a record with its key.
type Keyed struct {
	Key string
	Entry
}

// Add adds a record. It reports whether the page is full.
func (p *Page) Add(key string, e Entry, limit int) (full bool) {
	p.Records = append(p.Records, Keyed{key, e})
	p.bytes += len(e.Value)
	return len(p.Records) >= limit || p.bytes >= maxPageBytes
}

// Pair is implemented by the stores that consist of two, between which records move.
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
