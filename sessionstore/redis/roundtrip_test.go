package redis_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

func names(commands []redistest.Command) (list []string) {
	for _, c := range commands {
		list = append(list, c.Name())
	}
	return list
}

// Every operation is one command.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{})
		s := open(t, at(o, server.Addr()))
		if err := s.basics(t.Context()); err != nil { // so that the server knows the scripts
			t.Fatal(err)
		}
		seen := server.Monitor()
		ctx := t.Context()
		one, two := record(500), record(500)
		for _, step := range []struct {
			what string
			call func() error
			want error
		}{
			{"a read of nothing", func() error { _, err := s.Get(ctx, "k"); return err }, nil},
			{"a creation", func() error { return s.try("k", nil, one) }, nil},
			{"a change", func() error { return s.try("k", one, two) }, nil},
			{"a change again", func() error { return s.try("k", one, two) }, nil},
			{"a conflict", func() error { return s.try("k", one, record(1)) }, sessionstore.ErrConflict},
			{"a read", func() error { _, err := s.Get(ctx, "k"); return err }, nil},
			{"a touch", func() error { return s.Touch(ctx, "k", two, time.Hour) }, nil},
			{"a touch of another", func() error { return s.Touch(ctx, "k", one, time.Hour) }, nil},
			{"a refused deletion", func() error { _, err := s.CompareAndDelete(ctx, "k", one); return err }, sessionstore.ErrConflict},
			{"a deletion", func() error { _, err := s.CompareAndDelete(ctx, "k", two); return err }, nil},
			{"a deletion of nothing", func() error { _, err := s.CompareAndDelete(ctx, "k", two); return err }, nil},
		} {
			if err := step.call(); !errors.Is(err, step.want) {
				t.Errorf("%s: %v", step.what, err)
			}
			if got := names(seen()); !slices.Equal(got, []string{"EVALSHA"}) {
				t.Errorf("%s took %q", step.what, got)
			}
		}
	})
}

// The server may drop its scripts at any time.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := redis.Options{Addrs: []string{server.Addr()}, KeyPrefix: strings.ReplaceAll(name, " ", "-")}
			set(&o)
			s := open(t, o)
			now := record(100)
			s.save("k", nil, now)
			for range 20 {
				for _, flushed := range []func(){
					func() { s.want("k", now) },
					func() { next := record(100); s.save("k", now, next); now = next },
					func() {
						if err := s.try("k", nil, record(1)); !errors.Is(err, sessionstore.ErrConflict) {
							t.Errorf("no conflict: %v", err)
						}
					},
					func() {
						if err := s.Touch(t.Context(), "k", now, 2*time.Hour); err != nil {
							t.Error(err)
						}
					},
					func() {
						if _, err := s.CompareAndDelete(t.Context(), "k", now); err != nil {
							t.Error(err)
						}
						s.save("k", nil, now)
					},
				} {
					do(t, server, "SCRIPT", "FLUSH")
					flushed()
				}
			}
		})
	}
}

// A restarted server knows neither records nor scripts.
func TestServerRestartedEmpty(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	stores := make(map[string]*store)
	for name, set := range variants {
		o := usual(redis.Options{Addrs: []string{server.Addr()}, KeyPrefix: strings.ReplaceAll(name, " ", "-")})
		set(&o)
		stores[name] = open(t, o)
		stores[name].save("k", nil, record(100))
		stores[name].read("k")
		stores[name].read("k")
	}
	server.Restart()
	for name, s := range stores {
		eventually(t, 1500*time.Millisecond, func() error { return s.basics(t.Context()) })
		if got := s.read("k"); got != nil {
			t.Errorf("%s: a record from before the restart", name)
		}
	}
}
