package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/boltfile"
)

// fullFile makes a file with n live sessions and as many that expire in a minute.
func fullFile(t *testing.T, c *clock, n int) string {
	s := openTemp(t, Options{Now: c.now})
	for i := 0; i < n; i += 1000 {
		var ops []*op
		for j := i; j < i+1000; j++ {
			ops = append(ops,
				&op{kind: setOp, key: fmt.Sprint("stays", j), value: fmt.Appendf(nil, "%0500d", j), ttl: time.Hour},
				&op{kind: setOp, key: fmt.Sprint("goes", j), value: fmt.Appendf(nil, "%0500d", j), ttl: time.Minute})
		}
		run(t, s, ops...)
	}
	closeStore(t, s)
	return s.o.Path
}

func TestCompact(t *testing.T) {
	var c clock
	const n = 12_000 // more than one step
	path := fullFile(t, &c, n)
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Symlink(path, link), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	before, after, err := compact(t.Context(), link, c.now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != after || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if least := int64(n * 500); after < least || after > least*5/4 || before < 2*after {
		t.Errorf("from %d to %d bytes", before, after)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Error("the link has been replaced")
	}
	alone(t, path)
	s := openTemp(t, Options{Path: path, Now: c.now})
	for i := range n {
		want(t, s, fmt.Sprint("stays", i), fmt.Appendf(nil, "%0500d", i))
	}
	if got := count(t, s); got != n {
		t.Errorf("%d records", got)
	}
	save(t, s, "new", nil, []byte("one"))
}

func TestCompactKeepsTheOldFileOnErrors(t *testing.T) {
	var c clock
	path := fullFile(t, &c, 1000)
	same := func(before []byte) {
		t.Helper()
		if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
			t.Error("the file has changed")
		}
		alone(t, path)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Compact(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	same(good)

	s := openTemp(t, Options{Path: path})
	want(t, s, "new", nil)
	before, _ := os.ReadFile(path)
	if _, _, err := Compact(t.Context(), path); !errors.Is(err, ErrHeld) {
		t.Errorf("held: %v", err)
	}
	same(before)
	closeStore(t, s)

	for name, file := range unusable(t) {
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Compact(t.Context(), path); !errors.Is(err, file.is) {
			t.Errorf("%s: %v", name, err)
		}
		same(file.content)
	}
	if _, _, err := Compact(t.Context(), path+"not there"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, _, err := Compact(t.Context(), filepath.Dir(path)); !errors.Is(err, boltfile.ErrForeign) {
		t.Errorf("a folder: %v", err)
	}
	alone(t, path)
}
