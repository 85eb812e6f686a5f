package boltfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"
)

var layout = Layout{Info: "info", Format: "1", Data: "data"}

// goodFile makes a file whose data fills more than one page, with a bucket inside of the bucket.
func goodFile(tb testing.TB, pageSize int, list bool) *os.File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "good.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, NoFreelistSync: !list})
	if err != nil {
		tb.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		info, err1 := tx.CreateBucket([]byte(layout.Info))
		data, err2 := tx.CreateBucket([]byte(layout.Data))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		inner, err := data.CreateBucket([]byte("inner"))
		err = errors.Join(err, info.Put([]byte("format"), []byte(layout.Format)))
		for i := range 3 * pageSize / 100 {
			value := make([]byte, 100)
			err = errors.Join(err, data.Put(fmt.Append(nil, i), value), inner.Put(fmt.Append(nil, i), value))
		}
		return errors.Join(err, data.Put([]byte("large"), make([]byte, 3*pageSize)))
	})
	fd, err2 := os.OpenFile(path, os.O_RDWR, 0)
	if err := errors.Join(err, db.Close(), err2); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = fd.Close() })
	return fd
}

func TestVerify(t *testing.T) {
	for _, pageSize := range []int{minPageSize, 4 << 10, 64 << 10} {
		for _, list := range []bool{true, false} {
			fd := goodFile(t, pageSize, list)
			if err := Check(fd, layout); err != nil {
				t.Error(err)
			}
			if synced, err := Verify(t.Context(), fd, layout); err != nil || synced != list {
				t.Errorf("pages of %d bytes, list of free pages %v: %v, %v", pageSize, list, synced, err)
			}
		}
	}
	fd := goodFile(t, minPageSize, true)
	for _, other := range []Layout{{"info", "2", "data"}, {"other", "1", "data"}} {
		if err := Check(fd, other); !errors.Is(err, ErrForeign) {
			t.Errorf("another layout: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, fd, layout); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		meta meta
		ok   bool
	}{
		{meta{pageSize: minPageSize / 2}, false},
		{meta{pageSize: minPageSize}, true},
		{meta{pageSize: minPageSize + 1}, false},
		{meta{pageSize: maxPageSize}, true},
		{meta{pageSize: 2 * maxPageSize}, false},
		{meta{pageSize: minPageSize, pages: 1 << 38}, true},
		{meta{pageSize: minPageSize, pages: 1<<38 + 1}, false},
	} {
		if err := test.meta.check(test.meta.pageSize); (err == nil) != test.ok {
			t.Errorf("%+v: %v", test.meta, err)
		}
	}
	leaf := page{kind: leafPage}
	for depth, ok := range map[int]bool{maxDepth - 1: true, maxDepth: false} {
		if err := new(file).walk(t.Context(), leaf, new(keys), depth); (err == nil) != ok {
			t.Errorf("a tree of depth %d: %v", depth, err)
		}
	}
	for overflow, ok := range map[uint32]bool{maxPage/minPageSize - 1: true, maxPage / minPageSize: false} {
		raw := make([]byte, maxPage+4*minPageSize)
		order.PutUint64(raw[2*minPageSize:], 2)
		order.PutUint32(raw[2*minPageSize+12:], overflow)
		f := &file{r: bytes.NewReader(raw), meta: meta{pageSize: minPageSize, pages: uint64(len(raw) / minPageSize)}}
		if _, err := f.page(2, nil); (err == nil) != ok {
			t.Errorf("a page that %d continue: %v", overflow, err)
		}
	}
}

// FuzzVerify damages a good file. Whatever is in the file, Verify neither panics nor changes it,
// and bbolt's own check agrees with what it lets through.
func FuzzVerify(f *testing.F) {
	good, err := os.ReadFile(goodFile(f, minPageSize, true).Name())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{})
	for at := uint32(0); at < uint32(len(good)); at += minPageSize {
		f.Add(at, []byte{1, 1})
		f.Add(at+8, []byte{1})
		f.Add(at+10, []byte{1, 0, 1})
		f.Add(at+pageHead+4, []byte{0, 0, 0, 0x70})
		f.Add(at+pageHead+8, []byte{2, 0, 0, 0, 0, 0, 0, 0})
	}
	path := filepath.Join(f.TempDir(), "damaged.db")
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		content := bytes.Clone(good)
		pages := content[2*minPageSize:] // behind the meta pages, which have checksums
		copy(pages[int(at)%len(pages):], patch)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer fd.Close()
		_, err = Verify(t.Context(), fd, layout)
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Error("the file has changed")
		}
		if err != nil {
			return
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.View(func(tx *bbolt.Tx) (all error) {
			for err := range tx.Check() {
				if !strings.Contains(err.Error(), "unreachable unfreed") { // lost space, and no harm
					all = errors.Join(all, err)
				}
			}
			return all
		})
		if err != nil {
			t.Errorf("bbolt finds: %v", err)
		}
	})
}
