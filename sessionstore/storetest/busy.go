package storetest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// busy marks the context of a request of the user who logs in all the time.
type busy struct{}

// divided is a store that counts the operations of all other users. Those of the busy one on the
// list of its sessions wait until it is opened.
type divided struct {
	sessionstore.Store
	others, waiting atomic.Int32
	opened          chan struct{}
}

func (s *divided) enter(ctx context.Context, key string) {
	switch {
	case ctx.Value(busy{}) == nil:
		s.others.Add(1)
	case strings.HasPrefix(key, "user."):
		s.waiting.Add(1)
		<-s.opened
	}
}

func (s *divided) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	s.enter(ctx, key)
	return s.Store.Get(ctx, key)
}

func (s *divided) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	s.enter(ctx, key)
	return s.Store.CompareAndSet(ctx, key, old, value, ttl)
}

func (s *divided) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	s.enter(ctx, key)
	return s.Store.CompareAndDelete(ctx, key, old)
}

func (s *divided) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	s.enter(ctx, key)
	return s.Store.Touch(ctx, key, old, ttl)
}

// busyUser: a user logs in 200 times at once, by two managers. Nobody else waits for the list of
// that user's sessions, or makes more operations.
func busyUser(c *checker) {
	const logins = 200
	s := &divided{Store: c.store, opened: make(chan struct{})}
	managers := [2]*sessionstore.Manager{sessionstore.NewManager(s, userOptions()), sessionstore.NewManager(s, userOptions())}
	another := func() int32 {
		before := s.others.Load()
		for _, m := range managers {
			commit := func(loaded *sessionstore.Session, change *sessionstore.Change) string {
				out, err := m.Commit(c.Context(), loaded, change)
				if err != nil {
					c.Errorf("a change of another user: %v", err)
				}
				return out.ID
			}
			load := func(id string) *sessionstore.Session {
				loaded, err := m.Load(c.Context(), id, scope)
				if err != nil || !loaded.Exists() {
					c.Errorf("another user's session is there: %t, %v", loaded.Exists(), err)
				}
				return loaded
			}
			id := commit(&sessionstore.Session{Scope: scope}, &sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("user", "another")}})
			commit(load(id), &sessionstore.Change{Edits: field("a")})
			id = commit(load(id), &sessionstore.Change{Regenerate: true})
			commit(load(id), &sessionstore.Change{Edits: field("b"), EndOthers: true})
			if n, err := m.EndUser(c.Context(), scope, "another", ""); n != 1 || err != nil {
				c.Errorf("%d sessions of another user have ended, %v", n, err)
			}
		}
		return s.others.Load() - before
	}
	alone := another()
	var all sync.WaitGroup
	var left atomic.Int32
	left.Store(logins)
	for i := range logins {
		all.Go(func() {
			defer left.Add(-1)
			ctx := context.WithValue(c.Context(), busy{}, true)
			if _, err := managers[i%2].Commit(ctx, &sessionstore.Session{Scope: scope}, setUser()); err != nil {
				c.Errorf("a login: %v", err)
			}
		})
	}
	for s.waiting.Load() < int32(len(managers)) && left.Load() == logins {
		time.Sleep(time.Millisecond)
	}
	if n := another(); n != alone || left.Load() != logins {
		c.Errorf("%d operations of another user while the list is held, alone %d; %d logins wait", n, alone, left.Load())
	}
	close(s.opened)
	for again := true; again && !c.Failed(); again = left.Load() > 0 {
		if n := another(); n != alone {
			c.Errorf("%d operations of another user beside the logins, alone %d", n, alone)
		}
	}
	all.Wait()
	list, err := managers[0].UserSessions(c.Context(), scope, "1")
	if len(list) != logins || err != nil {
		c.Errorf("%d sessions are listed, want %d, %v", len(list), logins, err)
	}
}
