package sql

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes by the order of keys, with their unique index. A
// page is one statement.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	prefix = s.opts.KeyPrefix + prefix
	if after == "" {
		after = prefix
	}
	_, err = s.run(ctx, s.readers, func(ctx context.Context) (err error) {
		page, err = s.readers.page(ctx, s.texts.page, after, limit, func(key string) (name string, ok bool) {
			return strings.TrimPrefix(key, s.opts.KeyPrefix), strings.HasPrefix(key, prefix)
		})
		return err
	})
	// Only in a table of our own are the keys in the order of their bytes.
	if s.opts.Layout == nil && !strings.HasPrefix(page.Next, prefix) {
		page.Next = ""
	}
	return page, err
}

// page runs a query for the rows after a key. The function named returns the name of a record, if
// the row is one of ours.
func (p *pool) page(ctx context.Context, text, after string, limit int, named func(key string) (string, bool)) (page sessionstore.Page, err error) {
	rows, err := p.query(ctx, text, after, limit)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	looked, full := 0, false
	for ; !full && rows.Next(); looked++ {
		var value []byte
		var left, size sql.NullInt64
		if err := rows.Scan(&page.Next, &value, &left, &size); err != nil {
			return sessionstore.Page{}, err
		}
		name, ours := named(page.Next)
		if !ours || left.Int64 <= 0 || !size.Valid || size.Int64 > sessionstore.MaxValue {
			continue
		}
		if value == nil {
			value = []byte{}
		}
		ttl := time.Duration(min(left.Int64, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
		full = page.Add(name, sessionstore.Entry{Value: value, TTL: ttl}, limit)
	}
	if err := rows.Err(); err != nil {
		return sessionstore.Page{}, err
	}
	if looked < limit && !full {
		page.Next = ""
	}
	return page, rows.Close()
}

var _ sessionstore.Walker = (*Store)(nil)
