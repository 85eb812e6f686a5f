package storetest

import "bytes"

func touchExtends(c *checker) {
	c.save("key", nil, []byte("one"), 10*c.Tick)
	c.touch("key", []byte("one"), long)
	c.touched("key", 10*c.Tick, long)
	c.ticks(13)
	c.want("key", []byte("one"))
}

func touchShortens(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.touch("key", []byte("one"), 10*c.Tick)
	c.touched("key", 0, 10*c.Tick)
	c.want("key", []byte("one"))
	c.ticks(13)
	c.want("key", nil)
	c.refuse("key", []byte("one"), []byte("two"), nil)
}

func touchWhatHasChanged(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.touch("key", []byte("one"), 4*c.Tick)
	c.settle()
	c.ticks(6)
	c.want("key", []byte("two"))
}

func touchNothing(c *checker) {
	c.touch("key", []byte("one"), long)
	c.settle()
	c.want("key", nil)
	c.refuse("key", []byte("one"), []byte("two"), nil)
}

// touchKeepsData touches records of all sizes repeatedly during saves.
func touchKeepsData(c *checker) {
	const n = 20
	name := func(i int) string { return "key" + string(rune('a'+i)) }
	value := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i*i*20) }
	parallel(n, func(i int) {
		c.save(name(i), nil, value(i), long)
		for range 10 {
			c.touch(name(i), value(i), 2*long)
			c.touch(name(i), []byte("other"), 4*c.Tick)
		}
		if i%2 == 0 {
			c.save(name(i), value(i), append(value(i), '+'), long)
		}
	})
	c.settle()
	for i := range n {
		e := c.get(name(i))
		want := value(i)
		if i%2 == 0 {
			want = append(want, '+')
		}
		if e.Value == nil || !bytes.Equal(e.Value, want) {
			c.Errorf("key %d: there is %.40q, want %.40q", i, e.Value, want)
		}
	}
}
