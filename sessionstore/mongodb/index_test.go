package mongodb_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// The store asks once for a TTL index. The test server does not support these, so a proxy replies
// in its place.
func TestIndex(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	refusal := bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 85}, {Key: "codeName", Value: "IndexOptionsConflict"}, {Key: "errmsg", Value: "to-find"}}
	for _, test := range []struct {
		name   string
		create bool
		reply  bson.D
		says   string // the error that is reported; "" means none
	}{
		{"made", true, bson.D{{Key: "ok", Value: 1}}, ""},
		{"refused", true, refusal, "the server refused: IndexOptionsConflict (85)"},
		{"not asked for", false, refusal, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := mongotest.StartProxy(t, server.Addr)
			var request atomic.Pointer[string]
			p.Answer(1, func(r []byte) bool {
				if !strings.Contains(string(r), "createIndexes") {
					return false
				}
				text := string(r)
				request.Store(&text)
				return true
			}, test.reply)
			said := make(chan string, 10)
			s := open(t, p.URI(), mongodb.Options{
				CreateIndex: test.create, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second,
				OnIndexError: func(err error) { said <- err.Error() },
			})
			if p.Met() != 0 {
				t.Error("the index was created before first use")
			}
			for range 3 {
				want(t, s, "key", "")
			}
			if test.says != "" {
				if got := <-said; got != test.says {
					t.Errorf("said %s", got)
				}
			}
			if test.create {
				for end := time.Now().Add(10 * time.Second); p.Met() == 0 && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				if text := *request.Load(); !strings.Contains(text, "expireAfterSeconds") || !strings.Contains(text, "expiration_1") {
					t.Errorf("index request: %q", text)
				}
			} else if p.Met() != 0 {
				t.Error("an index was created")
			}
			if len(said) > 0 {
				t.Errorf("said %s", <-said)
			}
		})
	}
}

// The collection is dropped with its index, for example to log everybody out: the index is asked
// for again. A refusal is said then, too.
func TestIndexOfADroppedCollection(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	p := mongotest.StartProxy(t, server.Addr)
	asks := func(request []byte) bool { return strings.Contains(string(request), "createIndexes") }
	made := func(n int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); p.Met() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the index was made %d times, want %d", p.Met(), n)
			}
		}
	}
	p.Answer(1000000, asks, bson.D{{Key: "ok", Value: 1}})
	said := make(chan error, 10)
	s := open(t, p.URI(), mongodb.Options{
		CreateIndex: true, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second,
		OnIndexError: func(err error) { said <- err },
	})
	s.SetIndexInterval(10 * time.Millisecond)
	save(t, s, "key", nil, []byte("one"))
	made(1)
	if err := direct(t, server.URI(), "caddy", "sessions").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, s, "key", nil, []byte("two"))
	made(p.Met() + 2) // one may have been under way
	p.Answer(1000000, asks, bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 13}, {Key: "codeName", Value: "Unauthorized"}})
	if err := <-said; !strings.Contains(err.Error(), "Unauthorized (13)") {
		t.Errorf("said %v", err)
	}
}
