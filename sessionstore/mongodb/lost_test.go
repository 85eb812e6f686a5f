package mongodb_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// holds matches requests that contain all texts.
func holds(texts ...string) func([]byte) bool {
	return func(request []byte) bool {
		for _, text := range texts {
			if !bytes.Contains(request, []byte(text)) {
				return false
			}
		}
		return true
	}
}

// The reply to a write is lost. The next attempt recognizes its own write. Where it cannot know,
// the error must not be a conflict: the caller would apply the change again.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for name, l := range collections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lostReplies(t, server, mongodb.Options{Collection: name, Layout: l, Endless: time.Hour, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second})
		})
	}
}

func lostReplies(t *testing.T, server *mongotest.Server, opts mongodb.Options) {
	direct := open(t, server.URI(), opts)
	ctx := t.Context()
	set := func(old, value string) func(*mongodb.Store, string) error {
		return func(s *mongodb.Store, key string) error {
			var before []byte
			if old != "" {
				before = []byte(old)
			}
			_, err := s.CompareAndSet(ctx, key, before, []byte(value), time.Hour)
			return err
		}
	}
	remove := func(s *mongodb.Store, key string) error {
		_, err := s.CompareAndDelete(ctx, key, []byte("one"))
		return err
	}
	touch := func(s *mongodb.Store, key string) error { return s.Touch(ctx, key, []byte("one"), time.Minute) }
	var all sync.WaitGroup
	for key, test := range map[string]struct {
		old   string // the record at first
		call  func(s *mongodb.Store, key string) error
		then  func(key string) // called between the write and the next attempt
		ok    bool
		leave string
	}{
		"create": {call: set("", "two"), ok: true, leave: "two"},
		"save":   {old: "one", call: set("one", "two"), ok: true, leave: "two"},
		"delete": {old: "one", call: remove, ok: true},
		"touch":  {old: "one", call: touch, ok: true, leave: "one"},
		"create-changed-since": {
			call: set("", "two"), leave: "three",
			then: func(key string) { save(t, direct, key, []byte("two"), []byte("three")) },
		},
		"save-changed-since": {
			old: "one", call: set("one", "two"), leave: "three",
			then: func(key string) { save(t, direct, key, []byte("two"), []byte("three")) },
		},
		"save-deleted-since": {
			old: "one", call: set("one", "two"),
			then: func(key string) { _, _ = direct.CompareAndDelete(ctx, key, []byte("two")) },
		},
		"delete-made-anew-since": {
			old: "one", call: remove, leave: "three",
			then: func(key string) { save(t, direct, key, nil, []byte("three")) },
		},
	} {
		// After each lost reply the driver waits for half a second, so the cases run in parallel.
		all.Go(func() {
			t.Run(key, func(t *testing.T) {
				if test.old != "" {
					save(t, direct, key, nil, []byte(test.old))
				}
				p := mongotest.StartProxy(t, server.Addr)
				p.Lose(holds(key), func() {
					if test.then != nil {
						test.then(key)
					}
				})
				err := test.call(open(t, p.URI(), opts), key)
				if p.Met() != 1 {
					t.Fatal("no reply was lost")
				}
				if test.ok && err != nil || !test.ok && (!errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict)) {
					t.Errorf("got %v", err)
				}
				want(t, direct, key, test.leave)
			})
		})
	}
	all.Wait()
}

// The server replies with errors. The store retries during an election, retries a command whose
// outcome is unknown, and gives up on any other error. No error contains what the server quotes.
func TestErrorReplies(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	p := mongotest.StartProxy(t, server.Addr)
	s := open(t, p.URI(), mongodb.Options{DialTimeout: 10 * time.Second, Timeout: 10 * time.Second})
	failed := func(code int, label ...string) bson.D {
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "codeName", Value: "Name"}, {Key: "errmsg", Value: "to-find"}, {Key: "errorLabels", Value: label}}
	}
	written := func(key string, value bson.D) bson.D {
		return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 0}, {Key: key, Value: value}}
	}
	for _, test := range []struct {
		name  string
		times int
		reply bson.D
		met   int // the number of attempts that get this reply
		says  string
	}{
		{"an election", 3, failed(10107, "RetryableWriteError"), 3, ""},
		{"a shutdown", 1, failed(11600), 1, ""},
		{"no end of shutdowns", 9, failed(91), 3, "the server refused: Name (91)"},
		{"no right to write", 9, failed(13), 1, "the server refused: Name (13)"},
		{"an overloaded server", 9, failed(462, "SystemOverloadedError", "RetryableError"), 1, "the server refused: Name (462)"},
		{"a write concern", 9, written("writeConcernError", bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "to-find"}}), 3, "write concern not met (64)"},
		{"a document", 9, bson.D{
			{Key: "ok", Value: 1}, {Key: "n", Value: 0},
			{Key: "writeErrors", Value: bson.A{bson.D{{Key: "index", Value: 0}, {Key: "code", Value: 121}, {Key: "errmsg", Value: "to-find"}}}},
		}, 1, "the server refused: error 121"},
	} {
		key := strings.ReplaceAll(test.name, " ", "-")
		p.Answer(test.times, holds("update", key), test.reply)
		save(t, s, key+"1", nil, []byte("one"))
		_, err := s.CompareAndSet(t.Context(), key+"1", []byte("one"), []byte("two"), time.Hour)
		if n := p.Met(); n != test.met {
			t.Errorf("%s: %d attempts", test.name, n)
		}
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.says != "" && (!errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "to-find")):
			t.Errorf("%s: %v", test.name, err)
		}
		p.Answer(0, nil, nil)
		want(t, s, key+"1", map[bool]string{true: "two", false: "one"}[test.says == ""])
	}
}

// Idle connections break, as through a firewall. No request fails.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	p := mongotest.StartProxy(t, mongotest.Start(t).Addr)
	s := open(t, p.URI(), mongodb.Options{DialTimeout: 10 * time.Second, Timeout: 10 * time.Second})
	var old []byte
	for _, value := range []string{"one", "two"} {
		save(t, s, "key", old, []byte(value))
		p.Break()
		want(t, s, "key", value)
		p.Break()
		old = []byte(value)
	}
}
