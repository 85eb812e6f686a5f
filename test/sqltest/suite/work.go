package suite

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// sweeping deletes expired records and no others.
func (db *database) sweeping(t *testing.T) {
	var stores []*sql.Store
	for range 2 {
		stores = append(stores, db.use(t, patient(sql.Options{Table: "swept", CreateTable: true, SweepInterval: 100 * time.Millisecond})))
	}
	const n = 500
	var all sync.WaitGroup
	for w := range 10 {
		all.Go(func() {
			for i := w; i < n; i += 10 {
				ttl := time.Millisecond
				if i%50 == 0 {
					ttl = time.Hour
				}
				if err := save(t, stores[i%2], fmt.Sprint("k", i), "v", ttl); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for end := time.Now().Add(10 * time.Second); db.count(t, "swept") != n/50; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("got %d rows", db.count(t, "swept"))
		}
	}
	want(t, stores[0], "k50", "v")
}

// fiftyKeys sets different keys from two processes at the same time.
func (db *database) fiftyKeys(t *testing.T) {
	ctx := t.Context()
	var managers []*sessionstore.Manager
	for range 2 {
		s := db.use(t, patient(sql.Options{CreateTable: true, KeyPrefix: "fifty:"}))
		managers = append(managers, sessionstore.NewManager(s, sessionstore.Options{StoreTimeout: 20 * time.Second}))
	}
	changeThrough(t, ctx, managers, 50)
}

// createAgainstCreate creates records concurrently under keys whose records expire meanwhile.
func (db *database) createAgainstCreate(t *testing.T) {
	s, other := db.use(t, patient(sql.Options{CreateTable: true, KeyPrefix: "expire:"})), db.use(t, patient(sql.Options{CreateTable: true, KeyPrefix: "expire:", SweepInterval: 20 * time.Millisecond}))
	const ttl = 20 * time.Millisecond
	var made atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for w := range 6 {
		all.Go(func() {
			for i := 0; time.Since(start) < time.Second; i++ {
				to := s
				if i%2 == 0 {
					to = other
				}
				switch err := save(t, to, "k", fmt.Sprint(w, " ", i), ttl); {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, sessionstore.ErrConflict):
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n, most := made.Load(), int64(time.Since(start)/ttl)+2; n == 0 || n > most {
		t.Errorf("%d records, one after the other, in the time of %d", n, most)
	}
}

// discreet checks that an error or a log contains no secret.
func discreet(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, "to-find") {
		if strings.Contains(text, secret) {
			t.Errorf("contains a secret: %s", text)
		}
	}
}
