package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// walkStep is the most keys that the server looks at in one step, a fraction of a millisecond
	// in which it does nothing else.
	walkStep = 200

	// walkReads is how many records are read at once.
	walkReads = 16
)

// Walk implements [sessionstore.Walker]. It asks every master for its keys with SCAN. That looks at
// all keys of the database, so that a page may have few records, or none, where other programs keep
// theirs there too. The near cache is not used.
//
// If slots of a Cluster move or a replica takes over during the walk, records may be missed.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	masters, err := s.masters(ctx)
	if err != nil {
		return page, unavailable(err)
	}
	addrs := slices.Sorted(maps.Keys(masters))
	addr, cursor := addrs[0], uint64(0)
	if after != "" {
		number, rest, _ := strings.Cut(after, " ")
		addr = rest
		if cursor, err = strconv.ParseUint(number, 10, 64); err != nil || masters[addr] == nil {
			return page, sessionstore.ErrCursor
		}
	}
	prefix = s.opts.KeyPrefix + prefix
	keys, cursor, err := masters[addr].ScanType(ctx, cursor, glob(prefix)+"*", int64(min(limit, walkStep)), "string").Result()
	if err != nil {
		return page, unavailable(err)
	}
	if page.Records, err = s.readAll(ctx, keys); err != nil {
		return sessionstore.Page{}, err
	}
	if cursor == 0 {
		next := slices.Index(addrs, addr) + 1
		if next == len(addrs) {
			return page, nil
		}
		addr = addrs[next]
	}
	page.Next = fmt.Sprint(cursor, " ", addr)
	return page, nil
}

// masters returns the clients of all masters by their addresses.
func (s *Store) masters(ctx context.Context) (map[string]*goredis.Client, error) {
	cluster, ok := s.client.(*goredis.ClusterClient)
	if !ok {
		return map[string]*goredis.Client{"": s.client.(*goredis.Client)}, nil
	}
	var mu sync.Mutex
	found := make(map[string]*goredis.Client)
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		found[c.Options().Addr] = c
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("the Cluster has no masters")
	}
	return found, err
}

// readAll reads the records under these keys. It leaves out those that are gone or are no records.
func (s *Store) readAll(ctx context.Context, keys []string) (found []sessionstore.Keyed, err error) {
	slices.Sort(keys)
	keys = slices.Compact(keys) // SCAN may repeat keys
	entries := make([]sessionstore.Entry, len(keys))
	var reads errgroup.Group
	reads.SetLimit(walkReads)
	for i, key := range keys {
		reads.Go(func() error {
			reply, err := s.run(ctx, getScript, key)
			if err == nil {
				entries[i], err = s.opts.entry(reply)
			}
			if errors.Is(err, sessionstore.ErrRecord) {
				return nil
			}
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	for i, e := range entries {
		if e.Found() {
			found = append(found, sessionstore.Keyed{Key: strings.TrimPrefix(keys[i], s.opts.KeyPrefix), Entry: e})
		}
	}
	return found, nil
}

// glob returns a pattern of SCAN that matches text alone.
func glob(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

var _ sessionstore.Walker = (*Store)(nil)
