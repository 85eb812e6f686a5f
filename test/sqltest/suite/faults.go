package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// wrongPassword checks that the operator is told, without the password.
func (db *database) wrongPassword(t *testing.T) {
	var told atomic.Value
	dsn := strings.Replace(db.dsn, sqltest.Password, "wrong-one-to-find", 1)
	s := db.openAt(t, dsn, sql.Options{OnState: func(server string, err error) { told.Store(server + ": " + fmt.Sprint(err)) }})
	t.Cleanup(func() { _ = s.Close() })
	for range 5 {
		_, err := s.Get(t.Context(), "key-to-find")
		if !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Fatal(err)
		}
		discreet(t, err.Error())
		if told.Load() == nil && !strings.Contains(err.Error(), sqltest.User) {
			t.Errorf("the error does not say why: %v", err)
		}
		t.Log(err)
	}
	if told.Load() == nil {
		t.Fatal("OnState was not called")
	}
	discreet(t, told.Load().(string))
	t.Log(told.Load())
	for _, bad := range []string{dsn + "?=%zz to-find", "postgres://user:password-to-find@[host/", "to-find:password-to-find@", "password-to-find", "host=h password=password-to-find sslmode=no"} {
		if err := sql.Check(db.driver, bad, sql.Options{}); err != nil {
			discreet(t, err.Error())
		}
	}
}

// lostAnswers executes statements whose answer is lost.
func (db *database) lostAnswers(t *testing.T) {
	p := sqltest.StartProxy(t, db.server.Addr())
	s := db.openAt(t, db.server.DSNAt(p.Addr), patient(sql.Options{CreateTable: true, KeyPrefix: "lost:", PoolSize: 1}))
	t.Cleanup(func() { _ = s.Close() })
	other := db.use(t, patient(sql.Options{CreateTable: true, KeyPrefix: "lost:"}))
	ctx := t.Context()
	holds := func(text string) func([]byte) bool {
		return func(request []byte) bool { return bytes.Contains(request, []byte(text)) }
	}
	set := func(s *sql.Store, key string, old []byte, value string) error {
		_, err := s.CompareAndSet(ctx, key, old, []byte(value), time.Hour)
		return err
	}
	// Prepare the statements, so that each is sent in one packet.
	for _, key := range []string{"warm1", "warm2"} {
		if err := errors.Join(set(s, key, nil, "a"), set(s, key, []byte("a"), "b")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CompareAndDelete(ctx, key, []byte("b")); err != nil {
			t.Fatal(err)
		}
	}

	p.Lose(holds("created-once"), nil)
	if err := set(s, "k", nil, "created-once"); err != nil {
		t.Error("creating: ", err)
	}
	p.Lose(holds("saved-once"), nil)
	if err := set(s, "k", []byte("created-once"), "saved-once"); err != nil {
		t.Error("saving: ", err)
	}
	want(t, s, "k", "saved-once")

	// Another process saved over it: nobody knows whether our change was included.
	p.Lose(holds("saved-and-gone"), func() {
		if err := set(other, "k", []byte("saved-and-gone"), "another"); err != nil {
			t.Error(err)
		}
	})
	if err := set(s, "k", []byte("saved-once"), "saved-and-gone"); !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict) {
		t.Errorf("a save that was written over: %v", err)
	}
	want(t, s, "k", "another")

	// Likewise for a record that was created and then deleted.
	p.Lose(holds("created-and-gone"), func() {
		if _, err := other.CompareAndDelete(ctx, "new", []byte("created-and-gone")); err != nil {
			t.Error(err)
		}
		if err := set(other, "new", nil, "another"); err != nil {
			t.Error(err)
		}
	})
	if err := set(s, "new", nil, "created-and-gone"); !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict) {
		t.Errorf("a creation that was undone: %v", err)
	}

	p.Lose(holds("another"), nil) // the expected value
	if _, err := s.CompareAndDelete(ctx, "k", []byte("another")); err != nil {
		t.Error("deleting: ", err)
	}
	want(t, s, "k", "")
	if n := p.Lost(); n != 5 {
		t.Errorf("%d answers lost", n)
	}

	// A conflict that is answered stays a conflict after earlier answers were lost.
	if err := set(s, "new", []byte("no"), "x"); !errors.Is(err, sessionstore.ErrConflict) {
		t.Error(err)
	}
}

// brokenConnections closes idle connections.
func (db *database) brokenConnections(t *testing.T) {
	p := sqltest.StartProxy(t, db.server.Addr())
	s := db.openAt(t, db.server.DSNAt(p.Addr), patient(sql.Options{CreateTable: true, KeyPrefix: "broken:"}))
	t.Cleanup(func() { _ = s.Close() })
	for i := range 10 {
		key := fmt.Sprint("k", i)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { want(t, s, key, "") })
		}
		all.Wait()
		p.Break()
		if err := save(t, s, key, "v", time.Hour); err != nil {
			t.Error(err)
		}
	}
}

// killed kills a server again and again during changes: every confirmed change is kept.
func (db *database) killed(t *testing.T) {
	s := db.use(t, sql.Options{CreateTable: true, KeyPrefix: "killed:"})
	const workers = 4
	var answered [workers]atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			key := fmt.Sprint("k", w)
			value := func(n int64) []byte { return fmt.Appendf(nil, "%s is %d", key, n) }
			var old []byte
			for n := int64(1); ; {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				_, err := s.CompareAndSet(ctx, key, old, value(n), time.Hour)
				cancel()
				switch {
				case err == nil:
					answered[w].Store(n)
					old, n = value(n), n+1
				case errors.Is(err, sessionstore.ErrConflict):
					t.Error(err)
				default:
					discreet(t, err.Error(), key+" is")
				}
			}
		})
	}
	var before [workers]int64
	for range 2 {
		time.Sleep(300 * time.Millisecond)
		for w := range workers { // each worker has made a change since the last kill
			for end := time.Now().Add(patience); answered[w].Load() == before[w] && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
		}
		db.server.Kill()
		for w := range workers {
			before[w] = answered[w].Load()
		}
		db.server.Restart()
		other := db.use(t, sql.Options{KeyPrefix: "killed:"})
		for w := range workers {
			key := fmt.Sprint("k", w)
			var n int64
			e, err := other.Get(t.Context(), key)
			if _, scanErr := fmt.Sscanf(string(e.Value), key+" is %d", &n); err != nil || scanErr != nil || n < before[w] {
				t.Errorf("got %q, %v after %d was confirmed", e.Value, err, before[w])
			}
		}
	}
	time.Sleep(500 * time.Millisecond)
	last := answered[0].Load()
	time.Sleep(500 * time.Millisecond)
	close(stop)
	all.Wait()
	if answered[0].Load() == last {
		t.Error("the store has not recovered")
	}
}

// hanging pauses a server: after a few timeouts, requests fail at once.
func (db *database) hanging(t *testing.T) {
	var states atomic.Int64
	s := db.use(t, sql.Options{CreateTable: true, Timeout: 150 * time.Millisecond, DialTimeout: 150 * time.Millisecond, OnState: func(string, error) { states.Add(1) }})
	want(t, s, "k", "")
	db.server.Pause()
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if _, err := s.Get(ctx, "k"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Error(err)
		}
		cancel()
	}
	db.cheap(t, s)
	db.server.Resume()
	db.back(t, s)
	if n := states.Load(); n != 2 {
		t.Errorf("the state changed %d times", n)
	}
}

// dead stops a server.
func (db *database) dead(t *testing.T) {
	var states atomic.Int64
	s := db.use(t, sql.Options{CreateTable: true, OnState: func(_ string, err error) {
		states.Add(1)
		discreet(t, fmt.Sprint(err))
	}})
	want(t, s, "k", "")
	db.server.Kill()
	fresh := db.use(t, sql.Options{CreateTable: true})
	for range 3 {
		for _, s := range []*sql.Store{s, fresh} {
			_, err := s.Get(t.Context(), "k")
			if !errors.Is(err, sessionstore.ErrUnavailable) {
				t.Error(err)
			}
			t.Log(err)
		}
	}
	db.cheap(t, s)
	db.cheap(t, fresh)
	db.server.Restart()
	db.back(t, s)
	db.back(t, fresh)
	if n := states.Load(); n != 2 {
		t.Errorf("the state changed %d times", n)
	}
}

// cheap checks that requests to an unavailable database fail fast.
func (db *database) cheap(t *testing.T, s *sql.Store) {
	t.Helper()
	const n = 1000
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for range n {
		if _, err := s.Get(ctx, "k"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	each := time.Since(start) / n
	t.Logf("%v each", each)
	if each > 2*time.Millisecond {
		t.Errorf("each failing request took %v", each)
	}
}

func (db *database) back(t *testing.T, s *sql.Store) {
	t.Helper()
	start := time.Now()
	for {
		_, err := s.Get(t.Context(), "k")
		if err == nil {
			t.Logf("back after %v", time.Since(start))
			return
		}
		if time.Since(start) > 5*time.Second {
			t.Fatalf("not back: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
