package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bbolt "go.etcd.io/bbolt"
)

// TestTreeAfterChanges makes random changes, as bbolt splits and merges pages, and checks that none
// of the pages looks damaged.
func TestTreeAfterChanges(t *testing.T) {
	fd, db := plainFile(t)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		deletes := round % 20 // of 20 changes
		err := db.Update(func(tx *bbolt.Tx) (err error) {
			b := tx.Bucket([]byte(layout.Data))
			for range 100 {
				key := fmt.Append(nil, random.IntN(1000))
				if random.IntN(20) < deletes {
					err = errors.Join(err, b.Delete(key))
				} else {
					size := random.IntN(200)
					if size == 0 {
						size = 5 * minPageSize
					}
					err = errors.Join(err, b.Put(key, make([]byte, size)))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), fd, layout); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		tree, err := OpenTree(fd, layout)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for i := range 1000 {
			if err := errors.Join(tree.CanPut(fmt.Append(nil, i)), tree.CanDelete(fmt.Append(nil, i))); err != nil {
				t.Fatalf("round %d, key %d: %v", round, i, err)
			}
		}
	}
}

// TestTreeFindsDamage erases each page of the tree in turn. The keys below it can be neither put
// nor deleted, and those below the pages beside it cannot be deleted.
func TestTreeFindsDamage(t *testing.T) {
	fd, db := plainFile(t)
	err := db.Update(func(tx *bbolt.Tx) (err error) {
		for i := range 1000 {
			err = errors.Join(err, tx.Bucket([]byte(layout.Data)).Put(fmt.Appendf(nil, "%03d", i), make([]byte, 50)))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(fd.Name())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := OpenTree(fd, layout)
	if err != nil || tree.root.kind != branchPage {
		t.Fatalf("%v, %+v", err, tree)
	}
	var above, beside [1000][]uint64 // the pages above a key, and those beside them
	pages := map[uint64]bool{}
	for i := range above {
		for p := tree.root; p.kind == branchPage; {
			at := p.search(fmt.Appendf(nil, "%03d", i))
			for j := max(at-1, 0); j < min(at+2, p.count); j++ {
				e, err := p.element(j)
				if err != nil {
					t.Fatal(err)
				}
				beside[i] = append(beside[i], e.child)
			}
			if p, err = tree.child(p, at); err != nil {
				t.Fatal(err)
			}
			above[i] = append(above[i], p.id)
			pages[p.id] = true
		}
	}
	for id := range pages {
		damaged := bytes.Clone(whole)
		clear(damaged[id*minPageSize:][:minPageSize])
		if err := os.WriteFile(fd.Name(), damaged, 0); err != nil {
			t.Fatal(err)
		}
		tree, err := OpenTree(fd, layout)
		if err != nil {
			t.Fatal(err)
		}
		for i := range above {
			key := fmt.Appendf(nil, "%03d", i)
			if err := tree.CanPut(key); errors.Is(err, ErrDamaged) != slices.Contains(above[i], id) {
				t.Fatalf("page %d, putting %d: %v", id, i, err)
			}
			if err := tree.CanDelete(key); errors.Is(err, ErrDamaged) != slices.Contains(beside[i], id) {
				t.Fatalf("page %d, deleting %d: %v", id, i, err)
			}
		}
	}
	for name, damage := range map[string]func([]byte){
		"root of the buckets": func(b []byte) { clear(b[tree.f.root*minPageSize:][:minPageSize]) },
		"root of the bucket":  func(b []byte) { clear(b[tree.root.id*minPageSize:][:minPageSize]) },
		"meta pages":          func(b []byte) { clear(b[:2*minPageSize]) },
	} {
		damaged := bytes.Clone(whole)
		damage(damaged)
		if err := os.WriteFile(fd.Name(), damaged, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTree(fd, layout); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// plainFile makes a file of small pages without sessions, and opens it with bbolt.
func plainFile(t *testing.T) (*os.File, *bbolt.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plain.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: minPageSize, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		info, err1 := tx.CreateBucket([]byte(layout.Info))
		_, err2 := tx.CreateBucket([]byte(layout.Data))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		return info.Put([]byte("format"), []byte(layout.Format))
	})
	fd, err2 := os.Open(path)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(); _ = fd.Close() })
	return fd, db
}
