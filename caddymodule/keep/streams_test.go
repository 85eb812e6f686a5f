package keep

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// countingStore counts its operations, and fails while it is down. The keys that are away are on a
// server that does not answer.
type countingStore struct {
	sessionstore.Store
	gets, writes atomic.Int64
	down         atomic.Bool
	away         sync.Map
}

func (s *countingStore) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if s.gets.Add(1); s.down.Load() {
		return sessionstore.Entry{}, sessionstore.ErrUnavailable
	}
	if _, away := s.away.Load(key); away {
		<-ctx.Done()
		return sessionstore.Entry{}, fmt.Errorf("%w: %w", sessionstore.ErrUnavailable, ctx.Err())
	}
	return s.Store.Get(ctx, key)
}

func (s *countingStore) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	s.writes.Add(1)
	return s.Store.CompareAndSet(ctx, key, old, value, ttl)
}

func (s *countingStore) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	s.writes.Add(1)
	return s.Store.CompareAndDelete(ctx, key, old)
}

func (s *countingStore) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	s.writes.Add(1)
	return s.Store.Touch(ctx, key, old, ttl)
}

// twoProcesses are a keeper with streams, and a manager of another process on the same store.
type twoProcesses struct {
	*testing.T
	store     *countingStore
	keeper    *Store
	here      *sessionstore.Manager // the keeper's
	elsewhere *sessionstore.Manager
	opened    atomic.Int64
}

func field(text string) jsondoc.Path {
	path, err := jsondoc.ParsePath(text)
	if err != nil {
		panic(err)
	}
	return path
}

var streamOptions = sessionstore.Options{User: field("user"), IdleTimeout: 24 * time.Hour, AbsoluteTimeout: 72 * time.Hour}

func inBubble(t *testing.T, test func(p *twoProcesses)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mem := memory.New(memory.Options{SweepInterval: 1e6 * time.Hour})
		defer mem.Close()
		p := &twoProcesses{T: t, store: &countingStore{Store: mem}}
		var err error
		p.keeper, err = NewStore(StoreOptions{
			Open: func() (sessionstore.Store, func(), error) {
				p.opened.Add(1)
				return p.store, func() { p.opened.Add(-1) }, nil
			},
			Sessions: streamOptions,
			Logger:   zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		p.here, p.elsewhere = p.keeper.manager, sessionstore.NewManager(mem, streamOptions)
		test(p)
		p.keeper.Cleanup()
		time.Sleep(2 * LookInterval) // the last round finds no streams
	})
}

func userIs(name string) *sessionstore.Change {
	v := jsondoc.NewString(name)
	return &sessionstore.Change{Edits: []sessionstore.Edit{jsondoc.Assign{Field: field("user"), Value: &v}}}
}

// commit makes a change elsewhere, and returns the session's id.
func (p *twoProcesses) commit(s *sessionstore.Session, c *sessionstore.Change) string {
	p.Helper()
	out, err := p.elsewhere.Commit(context.Background(), s, c)
	if err != nil {
		p.Fatal(err)
	}
	return out.ID
}

func (p *twoProcesses) login() string {
	p.Helper()
	return p.commit(new(sessionstore.Session), userIs("zoe"))
}

func (p *twoProcesses) load(m *sessionstore.Manager, id string) *sessionstore.Session {
	p.Helper()
	s, err := m.Load(context.Background(), id, sessionstore.Scope{})
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// moment is when something happened, if it has.
type moment struct{ atomic.Pointer[time.Time] }

func (m *moment) now() {
	t := time.Now()
	m.Store(&t)
}

// open opens a stream. The result says when it was ended.
func (p *twoProcesses) open(id string) (ended *moment, stop func()) {
	p.Helper()
	s := p.load(p.elsewhere, id)
	if !s.Exists() {
		p.Fatal("there is no session")
	}
	ended = new(moment)
	stop = p.keeper.Watch(&Visit{place: s.Place()}, ended.now)
	synctest.Wait()
	return ended, stop
}

// within says how much later than since a stream has ended. It fails unless that is within bounds.
func (p *twoProcesses) within(ended *moment, since time.Time, least, most time.Duration) {
	p.Helper()
	synctest.Wait()
	if at := ended.Load(); at == nil {
		p.Error("the stream goes on")
	} else if took := at.Sub(since); took < least || took > most {
		p.Errorf("the stream has ended after %s, want %s to %s", took, least, most)
	}
}

func (p *twoProcesses) goesOn(ended *moment) {
	p.Helper()
	synctest.Wait()
	if ended.Load() != nil {
		p.Error("the stream has ended")
	}
}

var (
	destroying   = &sessionstore.Change{Destroy: true}
	regenerating = &sessionstore.Change{Regenerate: true}
)

// ways are how a session is ended by a manager.
var ways = map[string]func(p *twoProcesses, m *sessionstore.Manager, id string) error{
	"destroyed": func(p *twoProcesses, m *sessionstore.Manager, id string) error {
		_, err := m.Commit(context.Background(), p.load(m, id), destroying)
		return err
	},
	"emptied": func(p *twoProcesses, m *sessionstore.Manager, id string) error {
		_, err := m.Commit(context.Background(), p.load(m, id), &sessionstore.Change{Edits: []sessionstore.Edit{jsondoc.Assign{Field: field("user")}}})
		return err
	},
	"by its ref": func(_ *twoProcesses, m *sessionstore.Manager, id string) error {
		_, err := m.End(context.Background(), sessionstore.Ref(id))
		return err
	},
	"by its user": func(_ *twoProcesses, m *sessionstore.Manager, _ string) error {
		_, err := m.EndUser(context.Background(), sessionstore.Scope{}, "zoe", "")
		return err
	},
	"by end-others": func(p *twoProcesses, m *sessionstore.Manager, _ string) error {
		change := userIs("zoe")
		change.EndOthers = true
		_, err := m.Commit(context.Background(), new(sessionstore.Session), change)
		return err
	},
}

func TestStreamEndsWithItsSession(t *testing.T) {
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(p *twoProcesses) {
				for _, m := range []*sessionstore.Manager{p.here, p.elsewhere} {
					id, other := p.login(), p.commit(new(sessionstore.Session), userIs("bob"))
					ended, stop := p.open(id)
					second, stopSecond := p.open(id)
					others, stopOthers := p.open(other)
					stopped, stopEarly := p.open(id)
					stopEarly()
					time.Sleep(time.Hour)
					p.goesOn(ended)
					since := time.Now()
					if err := end(p, m, id); err != nil {
						t.Fatal(err)
					}
					if m == p.here {
						p.within(ended, since, 0, 0)
						p.within(second, since, 0, 0)
					} else {
						p.goesOn(ended)
						time.Sleep(time.Minute)
						p.within(ended, since, 1, time.Minute)
						p.within(second, since, 1, time.Minute)
					}
					time.Sleep(time.Hour)
					p.goesOn(others)
					p.goesOn(stopped)
					for _, f := range []func(){stop, stopSecond, stopOthers} {
						f()
					}
				}
			})
		})
	}
}

// A session that ends while its response begins is found out at once.
func TestStreamOfASessionThatHasJustEnded(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id := p.login()
		place := p.load(p.elsewhere, id).Place()
		if err := ways["by its ref"](p, p.elsewhere, id); err != nil {
			t.Fatal(err)
		}
		ended := new(moment)
		p.keeper.Watch(&Visit{place: place}, ended.now)
		p.within(ended, time.Now(), 0, 0)
	})
}

// A new id does not end the stream, however long ago. Then it ends with the session under the new
// id.
func TestStreamFollowsANewID(t *testing.T) {
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(p *twoProcesses) {
				for _, m := range []*sessionstore.Manager{p.here, p.elsewhere} {
					id := p.login()
					ended, stop := p.open(id)
					for range 3 {
						time.Sleep(time.Hour)
						id = p.commit(p.load(p.elsewhere, id), regenerating)
						time.Sleep(time.Minute)
						p.load(p.elsewhere, id) // the first use
						time.Sleep(10 * time.Minute)
						p.goesOn(ended)
					}
					since := time.Now()
					if err := end(p, m, id); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					if m == p.here {
						p.within(ended, since, 0, 0)
					} else {
						p.within(ended, since, 1, time.Minute)
					}
					stop()
				}
			})
		})
	}
}

// All in one process: a new id, its first use and its end, without a pause.
func TestStreamFollowsANewIDAtOnce(t *testing.T) {
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(p *twoProcesses) {
				id := p.login()
				ended, _ := p.open(id)
				out, err := p.here.Commit(context.Background(), p.load(p.here, id), regenerating)
				if err != nil {
					t.Fatal(err)
				}
				p.load(p.here, out.ID)
				p.goesOn(ended)
				since := time.Now()
				if err := end(p, p.here, out.ID); err != nil {
					t.Fatal(err)
				}
				p.within(ended, since, 0, 0)
			})
		})
	}
}

// A session gets a new id and is used elsewhere, and ends here before the next look.
func TestStreamEndsAtOnceAfterANewIDElsewhere(t *testing.T) {
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(p *twoProcesses) {
				id := p.login()
				ended, _ := p.open(id)
				for range 2 {
					id = p.commit(p.load(p.elsewhere, id), regenerating)
					p.commit(p.load(p.elsewhere, id), &sessionstore.Change{Permanent: new(bool)})
				}
				p.goesOn(ended)
				since := time.Now()
				if err := end(p, p.here, id); err != nil {
					t.Fatal(err)
				}
				p.within(ended, since, 0, 0)
			})
		})
	}
}

// A stream that began with an old id after the new one was made does not follow to the successor:
// whoever opened it may have planted the id.
func TestAttackStreamWithAnOldID(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id := p.login()
		before, stop := p.open(id)
		newID := p.commit(p.load(p.elsewhere, id), regenerating)
		after, _ := p.open(id)
		time.Sleep(2 * time.Minute)
		p.goesOn(after)
		since := time.Now()
		p.load(p.elsewhere, newID)
		time.Sleep(time.Minute)
		p.within(after, since, 1, time.Minute)
		time.Sleep(10 * time.Minute)
		p.goesOn(before)
		stop()
	})
}

func TestStreamEndsWithTheAbsoluteTimeout(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id, since := p.login(), time.Now()
		ended, _ := p.open(id)
		for range 71 {
			time.Sleep(time.Hour)
			s := p.load(p.elsewhere, id)
			if err := p.elsewhere.Touch(context.Background(), s); err != nil {
				t.Error(err)
			}
		}
		p.store.down.Store(true) // it needs no store
		time.Sleep(2 * time.Hour)
		p.within(ended, since, 72*time.Hour, 72*time.Hour)
		p.store.down.Store(false)
	})
}

// A stream is no use of its session, which idles out. Then the stream ends too.
func TestStreamDoesNotKeepItsSession(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id, since := p.login(), time.Now()
		ended, _ := p.open(id)
		time.Sleep(24*time.Hour - time.Minute)
		p.goesOn(ended)
		time.Sleep(2 * time.Minute)
		if p.load(p.elsewhere, id).Exists() {
			t.Error("the session lives on")
		}
		p.within(ended, since, 24*time.Hour, 24*time.Hour+time.Minute)
		if p.store.writes.Load() > 0 {
			t.Errorf("%d writes", p.store.writes.Load())
		}
	})
}

// A look at a store that is unreachable, or at a record that is damaged, ends nothing.
func TestStreamOutlivesAnOutage(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id, damaged := p.login(), p.login()
		ended, _ := p.open(id)
		another, stop := p.open(damaged)
		p.store.down.Store(true)
		time.Sleep(time.Hour)
		if err := ways["by its ref"](p, p.elsewhere, id); err != nil {
			t.Fatal(err)
		}
		entry, err := p.store.Store.Get(context.Background(), sessionstore.Ref(damaged))
		if err == nil {
			_, err = p.store.Store.CompareAndSet(context.Background(), sessionstore.Ref(damaged), entry.Value, bytes.Repeat([]byte{1}, 50), time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.goesOn(ended)
		since := time.Now()
		p.store.down.Store(false)
		time.Sleep(time.Minute)
		p.within(ended, since, 1, time.Minute)
		time.Sleep(10 * time.Minute)
		p.goesOn(another)
		stop()
	})
}

// One server of several does not answer. The streams on the others end within a minute all the
// same.
func TestStreamsEndThoughOneServerIsAway(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		const all = 400
		var ids []string
		var ended []*moment
		for i := range all {
			time.Sleep(time.Millisecond) // no two sessions begin at once
			id := p.login()
			m, stop := p.open(id)
			defer stop()
			if ids, ended = append(ids, id), append(ended, m); i%2 == 0 {
				p.store.away.Store(sessionstore.Ref(id), true)
			}
		}
		time.Sleep(10*time.Minute + 20*time.Second)
		since := time.Now()
		for i, id := range ids {
			if err := ways["by its ref"](p, p.elsewhere, id); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		time.Sleep(time.Minute)
		for i := range ids {
			if i%2 == 0 {
				p.goesOn(ended[i])
			} else {
				p.within(ended[i], since, 1, time.Minute)
			}
		}
		p.store.away.Clear()
		time.Sleep(time.Minute)
		for i := range ids {
			p.within(ended[i], since, 1, 2*time.Minute)
		}
	})
}

// A store that does not answer delays no streams of another one, however long its timeout is. It is
// not asked for each of its streams.
func TestStreamsEndThoughAnotherStoreIsAway(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id := p.login()
		ended, _ := p.open(id)
		slow := streamOptions
		slow.StoreTimeout = time.Hour
		stuck := &countingStore{Store: p.store.Store}
		other, err := NewStore(StoreOptions{
			Open:     func() (sessionstore.Store, func(), error) { return stuck, func() {}, nil },
			Sessions: slow, Logger: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 400 {
			time.Sleep(time.Millisecond)
			id := p.login()
			defer other.Watch(&Visit{place: p.load(p.elsewhere, id).Place()}, func() {})()
			synctest.Wait()
			stuck.away.Store(sessionstore.Ref(id), true)
		}
		time.Sleep(15 * time.Minute)
		since := time.Now()
		if err := ways["by its ref"](p, p.elsewhere, id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		p.within(ended, since, 1, time.Minute)
		other.Cleanup()
		stuck.away.Clear()
		time.Sleep(10 * time.Minute)
		stuck.gets.Store(0)
		stuck.down.Store(true)
		time.Sleep(time.Minute)
		if n := stuck.gets.Load(); n > 13*(failures+lanes) {
			t.Errorf("%d reads in a minute of a store that is away", n)
		}
		stuck.down.Store(false)
	})
}

// A session with many streams is read once in a round, and a session without a stream never.
func TestOneLookForAllStreamsOfASession(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id, another := p.login(), p.login()
		p.login()
		var stops []func()
		for range 20 {
			_, stop := p.open(id)
			stops = append(stops, stop)
		}
		_, stop := p.open(another)
		stops = append(stops, stop)
		p.store.gets.Store(0)
		time.Sleep(10*LookInterval + LookInterval/2)
		if p.store.gets.Load() != 20 || p.store.writes.Load() > 0 {
			t.Errorf("%d gets and %d writes in ten rounds, want 20 and none", p.store.gets.Load(), p.store.writes.Load())
		}
		for _, stop := range stops {
			stop()
		}
		p.store.gets.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		streams.mu.Lock()
		defer streams.mu.Unlock()
		if p.store.gets.Load() > 0 || len(streams.by) > 0 || len(streams.rounds) > 0 {
			t.Errorf("%d gets without a stream, %d families, %d keepers have rounds", p.store.gets.Load(), len(streams.by), len(streams.rounds))
		}
	})
}

// A stream may outlive its configuration. It does not keep the store open.
func TestStreamOutlivesItsConfiguration(t *testing.T) {
	inBubble(t, func(p *twoProcesses) {
		id := p.login()
		ended, _ := p.open(id)
		p.keeper.Cleanup()
		if p.opened.Load() != 0 {
			t.Error("the store is held")
		}
		time.Sleep(time.Hour)
		p.goesOn(ended)
		since := time.Now()
		if err := ways["by its ref"](p, p.elsewhere, id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		p.within(ended, since, 1, time.Minute) // waits until all is done
		if p.opened.Load() != 0 {
			t.Error("the store is held")
		}
	})
}
