package memcached

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// FuzzItem reads items of other programs. A record that can be read can be read again after it was
// written back.
func FuzzItem(f *testing.F) {
	f.Add(uint32(0), []byte("\x80\x04}\x94."))
	f.Add(uint32(16), []byte("{}"))
	f.Add(uint32(8), []byte("x\x9c\xab\xae\x05\x00\x01u\x00\xf9"))
	f.Add(uint32(ourFlags), make([]byte, deadlineLen+3))
	f.Fuzz(func(t *testing.T, flags uint32, value []byte) {
		for _, o := range []*Options{{}, {Layout: &layout.Memcached{Plain: 16, Zlib: 8}, Lifetime: time.Hour}} {
			item := &memcache.Item{Flags: flags, Value: value}
			r, err := o.open(item)
			if err != nil || r.value == nil {
				continue
			}
			if len(r.value) > sessionstore.MaxValue {
				t.Errorf("%d bytes", len(r.value))
			}
			was := bytes.Clone(r.value)
			o.fill(item, was, time.Minute)
			again, err := o.open(item)
			if err != nil || !bytes.Equal(again.value, was) || item.Flags != flags {
				t.Errorf("%q changed to %q with the flags %d, %v", was, again.value, item.Flags, err)
			}
		}
	})
}

type replies struct {
	net.Conn
	data []byte
	most int
}

func (c *replies) Write(p []byte) (int, error) { return len(p), nil }

func (c *replies) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), c.most)], c.data)
	c.data = c.data[n:]
	return n, nil
}

// FuzzReply has a server announce items, in pieces of any size. The connection must not pass on one
// that is too large.
func FuzzReply(f *testing.F) {
	f.Add([]byte("VALUE session:a 0 3 17\r\none\r\nEND\r\n"), 4096)
	f.Add([]byte("VALUE session:a 0 1048584 17\r\n"), 1)
	f.Add([]byte("VALUE session:a 0 1048585 17\r\n"), 7)
	f.Add([]byte("VALUE a 0 99999999999999999999\r\n"), 5)
	f.Add([]byte("END\r\n"), 2)
	f.Fuzz(func(t *testing.T, data []byte, most int) {
		if most < 1 || most > 1<<16 {
			return
		}
		c := &bounded{Conn: &replies{data: data, most: most}}
		_, _ = c.Write([]byte("gets session:a\r\n"))
		var got []byte
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil || n == 0 {
				break
			}
		}
		line, _, whole := bytes.Cut(data, []byte{'\n'})
		refuse := whole && itemSize(line) > maxItem
		if refuse && bytes.Contains(got, []byte{'\n'}) || !refuse && !bytes.Equal(got, data) {
			t.Errorf("%q was passed on as %q", data, got)
		}
	})
}
