package redis

import (
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// copies is go-redis's cache and the client that fills it. The server sends invalidations on the
// connections of that client.
//
// If the server refuses client-side caching to one connection, for example because it has too many
// clients, go-redis never tries again. The near cache then drops the copies, and makes new ones
// after a pause.
type copies struct {
	*goredis.LocalCache
	client *goredis.Client
	near   *nearCache
}

// Reserve implements [goredis.Cache]. go-redis calls it before it fetches a value. It notes under
// which name the cache will hold the copy.
func (c *copies) Reserve(name string, keys []string) (token uint64, fetch bool) {
	if len(keys) == 1 {
		c.near.fetched(keyOf(keys[0]), name)
	}
	return c.LocalCache.Reserve(name, keys)
}

// DeleteByRedisKey implements [goredis.Cache]. go-redis calls it when the server reports that a
// record was changed or touched.
func (c *copies) DeleteByRedisKey(name string) int {
	c.near.changed(keyOf(name))
	return c.LocalCache.DeleteByRedisKey(name)
}

// keyOf returns the key in a name of go-redis's cache: the part after the last NUL byte.
func keyOf(name string) string { return name[strings.LastIndexByte(name, 0)+1:] }

// The bounds of the pause after the server refused client-side caching. It doubles each time.
const minOff, maxOff = time.Second, 30 * time.Second

// current returns the copies in use, or nil while the near cache is off.
func (n *nearCache) current() *copies {
	if c := n.now.Load(); c != nil {
		return c
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.now.Load(); c != nil || time.Now().Before(n.retryAt) {
		return c
	}
	limits := n.store.opts.NearCache
	c := &copies{near: n, LocalCache: goredis.NewLocalCache(goredis.ClientSideCacheConfig{
		MaxEntries: limits.MaxEntries, MaxMemoryBytes: limits.MaxBytes, MaxStaleness: MaxStaleness,
	})}
	c.client = n.store.opts.nearClient(c, &guard{breaker: n.breaker, refused: func(err error) { n.refused(c, err) }})
	n.now.Store(c)
	return c
}

// refused drops copies whose invalidations the server refuses to send.
func (n *nearCache) refused(c *copies, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.now.CompareAndSwap(c, nil) {
		return
	}
	n.pause = min(max(2*n.pause, minOff), maxOff)
	n.retryAt = time.Now().Add(n.pause)
	if !n.off && n.store.opts.OnNearCache != nil {
		n.store.opts.OnNearCache(n.store.opts.Addrs[0], err)
	}
	n.off = true
	n.closing.Go(func() { n.retire(c) })
}

// retire closes the connections of unused copies once the commands under way must have ended.
func (n *nearCache) retire(c *copies) {
	o := &n.store.opts
	select {
	case <-time.After(o.DialTimeout + o.WriteTimeout + o.ReadTimeout):
	case <-n.done:
	}
	n.store.pipelines.forget()
	_ = c.client.Close()
}

// works is called after each read into copies.
func (n *nearCache) works(c *copies) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.off || n.now.Load() != c {
		return
	}
	n.off, n.pause = false, 0
	if n.store.opts.OnNearCache != nil {
		n.store.opts.OnNearCache(n.store.opts.Addrs[0], nil)
	}
}

func (n *nearCache) close() error {
	close(n.done)
	n.closing.Wait()
	if c := n.now.Load(); c != nil {
		return c.client.Close()
	}
	return nil
}

// Interface guard
var _ goredis.Cache = (*copies)(nil)
