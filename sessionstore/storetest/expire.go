package storetest

import (
	"math"
	"time"
)

// timesToLive checks that the remaining time is the requested one less the time that has passed.
func timesToLive(c *checker) {
	ttls := map[string]time.Duration{"short": 30 * c.Tick, "hour": time.Hour, "month": 31 * 24 * time.Hour, "year": 400 * 24 * time.Hour}
	begin := time.Now()
	for key, ttl := range ttls {
		c.save(key, nil, []byte("one"), ttl)
		c.ttl(c.get(key), ttl)
	}
	c.ticks(3)
	for key, ttl := range ttls {
		e := c.get(key)
		c.ttl(e, ttl-2*c.Tick)
		if passed := time.Since(begin); e.TTL < ttl-passed-ttl/10-10*c.Tick {
			c.Errorf("of %v only %v is left after %v", ttl, e.TTL, passed)
		}
		e, _ = c.cas(key, nil, []byte("other"), long)
		c.ttl(e, ttl-2*c.Tick)
		e, _ = c.cad(key, []byte("other"))
		c.ttl(e, ttl-2*c.Tick)
		c.delete(key, []byte("one"))
	}
}

// longestTimeToLive saves and touches a record for as long as can be said. A store may keep it for
// some years only.
func longestTimeToLive(c *checker) {
	c.save("key", nil, []byte("one"), math.MaxInt64)
	for range 2 {
		if e := c.get("key"); e.TTL < 400*24*time.Hour {
			c.Errorf("a time to live of %v", e.TTL)
		}
		c.touch("key", []byte("one"), math.MaxInt64)
		c.settle()
	}
	c.save("key", []byte("one"), []byte("two"), math.MaxInt64)
	if e := c.get("key"); string(e.Value) != "two" {
		c.Errorf("there is %q", e.Value)
	}
}

// expire saves a record under key and lets it expire. A machine that is busy may take longer for
// that than the record lives. Then the next one lives longer.
func (c *checker) expire(key string) {
	c.Helper()
	for ticks := 4; ; ticks *= 2 {
		begin, ttl := time.Now(), time.Duration(ticks)*c.Tick
		c.save(key, nil, []byte("one"), ttl)
		c.ticks(ticks / 2)
		e := c.get(key)
		if !e.Found() && time.Since(begin) > ttl && ticks < 100 {
			continue
		}
		c.entry(e, []byte("one"))
		c.ticks(ticks)
		return
	}
}

func expiry(c *checker) {
	c.save("other", nil, []byte("one"), long)
	c.expire("key")
	c.want("key", nil)
	c.want("other", []byte("one"))
}

func expiredCreate(c *checker) {
	c.expire("key")
	c.save("key", nil, []byte("two"), long)
	c.want("key", []byte("two"))
	c.ticks(6)
	c.want("key", []byte("two"))
}

func expiredReplace(c *checker) {
	c.expire("key")
	c.refuse("key", []byte("one"), []byte("two"), nil)
	c.refuse("key", []byte("two"), []byte("one"), nil) // a repeated save does not succeed either
	c.want("key", nil)
}

func expiredDelete(c *checker) {
	c.expire("key")
	c.delete("key", []byte("one"))
	c.delete("key", []byte("other")) // an expired record is no conflict
	c.want("key", nil)
}

func expiredTouch(c *checker) {
	c.expire("key")
	c.touch("key", []byte("one"), long)
	c.settle()
	c.want("key", nil)
	c.refuse("key", []byte("one"), []byte("two"), nil)
}

func saveSetsTTL(c *checker) {
	c.save("longer", nil, []byte("one"), 4*c.Tick)
	c.save("longer", []byte("one"), []byte("two"), long)
	c.save("shorter", nil, []byte("one"), long)
	begin := time.Now()
	c.save("shorter", []byte("one"), []byte("two"), 4*c.Tick)
	if e := c.get("shorter"); time.Since(begin) < 4*c.Tick { // else the machine was too busy
		c.ttl(e, 4*c.Tick)
	}
	c.ticks(6)
	c.want("longer", []byte("two"))
	c.want("shorter", nil)
}
