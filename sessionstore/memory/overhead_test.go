//go:build !race

package memory

import (
	"runtime"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// TestOverhead holds a million sessions of 500 bytes (in a plain run: 100,000) and compares what
// the heap has grown by with what the store says. The race detector's own memory would be in the
// way.
func TestOverhead(t *testing.T) {
	n := 1_000_000
	if !longtest.All() {
		n = 100_000
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := open(t, Options{MaxBytes: 1 << 40})
	var payload int64
	for range n {
		key, value := newKey(), make([]byte, 500)
		payload += int64(len(key) + len(value))
		if _, err := s.CompareAndSet(t.Context(), key, nil, value, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	each := (grown - payload) / int64(n)
	t.Logf("%d sessions: %d bytes each beyond key and record, counted as %d", n, each, overhead)
	if each > 400 {
		t.Errorf("%d bytes of overhead", each)
	}
	if counted := s.bytes.Load(); counted < grown*9/10 || counted > grown*12/10 {
		t.Errorf("counted %d bytes, the heap has grown by %d", counted, grown)
	}
	runtime.KeepAlive(s)
}
