package redis

import (
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// copies are go-redis's cache and the client that fills it, on whose connections the server tells of changes. When the server
// refuses that to one connection, as it does when it has too many clients, go-redis goes on without for good: the near
// cache is then off for a time, in which the store has another client, and makes others.
type copies struct {
	*goredis.LocalCache
	client *goredis.Client
	near   *nearCache
}

// Reserve implements [goredis.Cache]. It is called when a copy is about to be fetched, and learns where it will be.
func (c *copies) Reserve(name string, keys []string) (token uint64, fetch bool) {
	if len(keys) == 1 {
		c.near.fetched(keyOf(keys[0]), name)
	}
	return c.LocalCache.Reserve(name, keys)
}

// DeleteByRedisKey implements [goredis.Cache]. It is called when the server says that a record has changed, or has
// been touched.
func (c *copies) DeleteByRedisKey(name string) int {
	c.near.changed(keyOf(name))
	return c.LocalCache.DeleteByRedisKey(name)
}

// keyOf returns the key in what go-redis's cache calls it: before it stands whose cache it is.
func keyOf(name string) string { return name[strings.LastIndexByte(name, 0)+1:] }

// The near cache is off for longer from one refusal to the next.
const minOff, maxOff = time.Second, 30 * time.Second

// copies returns those in use. It is nil while the near cache is off.
func (n *nearCache) copies() *copies {
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

// refused ends copies of whose changes the server will not tell.
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

// retire ends the connections of copies that are no longer used, once what is under way there has ended.
func (n *nearCache) retire(c *copies) {
	o := &n.store.opts
	select {
	case <-time.After(o.DialTimeout + o.WriteTimeout + o.ReadTimeout):
	case <-n.done:
	}
	n.store.pipelines.forget(c.client)
	_ = c.client.Close()
}

// works is called after every read into copies.
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
