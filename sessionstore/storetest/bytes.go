package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// keys uses every length and every character, and keys with common prefixes, with other case, or
// with a special meaning in SQL, globs and key-value servers.
func keys(c *checker) {
	var all strings.Builder
	var list []string
	for char := byte(0x21); char <= 0x7e; char++ {
		all.WriteByte(char)
		list = append(list, string(char), "k"+string(char), string(char)+"k", "k"+string(char)+"k")
	}
	for n := 1; n <= sessionstore.MaxKey; n++ {
		list = append(list, strings.Repeat(all.String(), 3)[:n], strings.Repeat("k", n))
	}
	list = append(list, "session:k", "session:k:1", "%%", "__", "'--", `\0`, "*", "{k}", "k{k}", "../k", "key", "KEY", "Key")

	known := make(map[string]bool)
	var different []string
	for _, key := range list {
		if !known[key] {
			known[key] = true
			different = append(different, key)
		}
	}
	c.manyKeys(different)
}

// thousandsOfKeys also deletes records and creates them again, which makes some stores move
// records.
func thousandsOfKeys(c *checker) {
	list := make([]string, c.Keys)
	for i := range list {
		list[i] = fmt.Sprintf("session:%016x%016x", rand.Uint64(), rand.Uint64())
	}
	c.manyKeys(list)
	c.manyKeys(list[:len(list)/4])
}

// manyKeys creates, reads and deletes a record under each key.
func (c *checker) manyKeys(list []string) {
	const workers = 50
	value := func(i int) []byte { return fmt.Appendf(nil, "value %d of %s", i, list[i]) }
	each := func(f func(i int)) {
		parallel(workers, func(w int) {
			for i := w; i < len(list); i += workers {
				f(i)
			}
		})
	}
	each(func(i int) { c.save(list[i], nil, value(i), long) })
	each(func(i int) { c.want(list[i], value(i)) })
	each(func(i int) {
		if i%2 == 0 {
			c.delete(list[i], value(i))
		}
	})
	each(func(i int) {
		if i%2 == 0 {
			c.want(list[i], nil)
		} else {
			c.want(list[i], value(i))
			c.delete(list[i], value(i))
		}
	})
}

// values uses every byte, and sizes around the limits at which stores change their encoding.
func values(c *checker) {
	var every []byte
	for b := range 256 {
		every = append(every, byte(b))
	}
	list := [][]byte{every, bytes.Repeat([]byte{0}, 40), bytes.Repeat([]byte{0xff}, 40), []byte("é ☃ 𐍈"), []byte("\xc3\x28")}
	for b := range every {
		list = append(list, every[b:b+1])
	}
	for _, n := range []int{0, 1, 16, 17, 18, 250, 255, 256, 257, 500, 1023, 1024, 4095, 4096, 4097, 16 << 10, 65535, 65536, 256 << 10, sessionstore.MaxValue} {
		list = append(list, bytes.Repeat(every, n/256+1)[:n])
	}
	old := []byte("first")
	c.save("key", nil, old, long)
	for _, value := range list {
		c.save("key", old, value, long)
		c.want("key", value)
		old = value
	}
	c.delete("key", old)
	c.want("key", nil)
}

func emptyValue(c *checker) {
	c.save("key", nil, []byte{}, long)
	c.want("key", []byte{})
	c.refuse("key", nil, []byte("one"), []byte{})
	c.save("key", []byte{}, []byte("one"), long)
	c.refuse("key", []byte{}, []byte("two"), []byte("one"))
	c.save("key", []byte("one"), []byte{}, long)
	c.delete("key", []byte{})
	c.want("key", nil)
	c.refuse("key", []byte{}, []byte("one"), nil)
}

// comparesAllBytes compares values that are not native records.
func comparesAllBytes(c *checker) {
	is := []byte(`{"a value":"that is longer than a version"}`)
	c.save("key", nil, is, long)
	for _, other := range [][]byte{
		{},
		is[:len(is)-1],
		append(bytes.Clone(is), ' '),
		append(bytes.Clone(is), 0),
		bytes.ToUpper(is),
		append(bytes.Clone(is[:len(is)-1]), ']'),
		append([]byte(" "), is...),
	} {
		c.refuse("key", other, []byte("new"), is)
		if e, conflict := c.cad("key", other); !conflict {
			c.Errorf("deleted %q as %q", is, other)
		} else {
			c.entry(e, is)
		}
	}
	c.save("key", bytes.Clone(is), []byte("new"), long)
}

func returnedValuesStay(c *checker) {
	first := bytes.Repeat([]byte("first"), 200)
	c.save("key", nil, first, long)
	got := c.get("key")
	conflict, _ := c.cas("key", nil, []byte("other"), long)
	refused, _ := c.cad("key", []byte("other"))
	returned := [][]byte{got.Value, conflict.Value, refused.Value}

	second := bytes.Repeat([]byte("SECOND"), 200)
	c.save("key", first, second, long)
	c.delete("key", second)
	parallel(10, func(i int) {
		for n := range 30 {
			c.save(fmt.Sprintf("key%d-%d", i, n), nil, second, long)
		}
	})
	for i, value := range returned {
		if !bytes.Equal(value, first) {
			c.Errorf("entry %d changed to %.40q", i, value)
		}
	}
}
