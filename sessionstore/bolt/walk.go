package bolt

import (
	"bytes"
	"context"
	"strings"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes by the order of keys. A page is one read
// transaction, which waits for no writer, and no writer for it.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	f, err := s.file(ctx)
	if err == nil {
		err = s.place.Glance()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = f.view(func(b *bbolt.Bucket) error {
			page = walkPage(b.Cursor(), prefix, after, limit, s.now())
			return nil
		})
	}
	if err != nil {
		return sessionstore.Page{}, s.unavailable(err)
	}
	return page, nil
}

func walkPage(c *bbolt.Cursor, prefix, after string, limit int, now int64) (page sessionstore.Page) {
	key, raw := c.Seek([]byte(max(prefix, after)))
	if after != "" && string(key) == after {
		key, raw = c.Next()
	}
	full := false
	for looked := 0; key != nil && strings.HasPrefix(string(key), prefix); looked++ {
		if full || looked == limit {
			return page
		}
		page.Next = string(key)
		if r, err := readRecord(raw, now); err == nil && r.value != nil {
			r.value = bytes.Clone(r.value)
			full = page.Add(page.Next, r.entry(now), limit)
		}
		key, raw = c.Next()
	}
	page.Next = ""
	return page
}

var _ sessionstore.Walker = (*Store)(nil)
