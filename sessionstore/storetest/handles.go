package storetest

import "fmt"

func twoHandles(c *checker) {
	other := c.with(c.Second(c.T, c.store))
	defer other.close(other.store)

	c.save("key", nil, []byte("one"), long)
	other.want("key", []byte("one"))
	other.refuse("key", nil, []byte("two"), []byte("one"))
	other.save("key", []byte("one"), []byte("two"), long)
	c.want("key", []byte("two"))
	c.refuse("key", []byte("one"), []byte("three"), []byte("two"))
	other.touch("key", []byte("two"), 2*long)
	c.touched("key", long, 2*long)
	c.delete("key", []byte("two"))
	other.want("key", nil)
	other.refuse("key", []byte("two"), []byte("three"), nil)
}

func twoHandlesNoLostUpdates(c *checker) {
	other := c.with(c.Second(c.T, c.store))
	defer other.close(other.store)

	const workers, times = 10, 20
	parallel(workers, func(i int) {
		for range times {
			if i%2 == 0 {
				c.add("key")
			} else {
				other.add("key")
			}
		}
	})
	if n := c.counter(other.get("key")); n != workers*times {
		c.Errorf("counted %d, want %d", n, workers*times)
	}
}

func survivesClosing(c *checker) {
	const n = 200
	key := func(i int) string { return fmt.Sprint("key", i) }
	value := func(i int) []byte { return fmt.Appendf(nil, "value %d", i) }
	parallel(n, func(i int) {
		c.save(key(i), nil, value(i), long)
		switch i % 4 {
		case 1:
			c.delete(key(i), value(i))
		case 2:
			c.save(key(i), value(i), append(value(i), '+'), long)
		case 3:
			c.touch(key(i), value(i), long)
		}
	})
	c.save("expires", nil, []byte("one"), 4*c.Tick)
	c.save("touched", nil, []byte("one"), long)
	c.touch("touched", []byte("one"), 2*long)
	c.close(c.store)
	c.ticks(6)
	c.store = c.Reopen(c.T, c.store)
	for i := range n {
		switch i % 4 {
		case 1:
			c.want(key(i), nil)
		case 2:
			c.want(key(i), append(value(i), '+'))
		default:
			c.want(key(i), value(i))
		}
	}
	c.want("expires", nil)
	if e := c.get("touched"); e.TTL <= long {
		c.Errorf("closing lost a touch: %v left", e.TTL)
	}
}
