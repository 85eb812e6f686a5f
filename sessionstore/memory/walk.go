package memory

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes from shard to shard, and by the order of keys in
// each. A page reads all keys of a shard, a 64th of the sessions. It holds the lock for a few at a
// time, and changes nothing about which session was used least recently.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (sessionstore.Page, error) {
	var page sessionstore.Page
	first, key := 0, ""
	if after != "" {
		number, rest, _ := strings.Cut(after, ":")
		var err error
		if first, err = strconv.Atoi(number); err != nil || first < 0 || first >= shardCount {
			return page, sessionstore.ErrCursor
		}
		key = rest
	}
	for i := first; i < shardCount; i++ {
		if err := ctx.Err(); err != nil {
			return sessionstore.Page{}, err
		}
		sh := &s.shards[i]
		for _, key := range sh.keys(prefix, key) {
			e := s.standing(sh, key)
			if e.Found() && page.Add(key, e, limit) {
				page.Next = fmt.Sprintf("%d:%s", i, key)
				return page, nil
			}
		}
		key = ""
	}
	return page, nil
}

// keys returns the keys of a shard that begin with prefix and come after the given one, in order.
//
// Between the steps, the map may change. Go's range still gives every key that stays. If the map is
// replaced, the old one has all keys that stay.
func (sh *shard) keys(prefix, after string) (keys []string) {
	sh.mu.Lock()
	looked := 0
	for key := range sh.items {
		if key > after && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		if looked++; looked%sweepStep == 0 {
			sh.mu.Unlock()
			runtime.Gosched()
			sh.mu.Lock()
		}
	}
	sh.mu.Unlock()
	slices.Sort(keys)
	return keys
}

// standing returns a record without using it.
func (s *Store) standing(sh *shard, key string) sessionstore.Entry {
	now := s.clock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.live(sh, key, now).entry(now)
}

// Count implements [sessionstore.Counter].
func (s *Store) Count() (n int64, ok bool) { return s.sessions.Load(), true }

var (
	_ sessionstore.Walker  = (*Store)(nil)
	_ sessionstore.Counter = (*Store)(nil)
)
