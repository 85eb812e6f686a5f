package sessionstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// appCodec is the format of an app that keeps nothing but what it needs.
type appCodec struct{}

type appRecord struct {
	Data      json.RawMessage
	Flash     json.RawMessage `json:",omitempty"`
	Permanent bool            `json:",omitempty"`
}

func (appCodec) NewID() string           { return "app-" + sessionstore.NewID() }
func (appCodec) ValidID(id string) bool  { return strings.HasPrefix(id, "app-") }
func (appCodec) Key(id, _ string) string { return "app:" + id }

func (appCodec) Encode(r *sessionstore.Record) ([]byte, error) {
	if r.State != sessionstore.Live || !r.Created.IsZero() || r.Scope != "" || r.Target != "" {
		return nil, fmt.Errorf("%w: an app has no place for that", sessionstore.ErrInvalid)
	}
	return json.Marshal(appRecord{r.Data, r.Flash, r.Permanent})
}

func (appCodec) Decode(value []byte, r *sessionstore.Record) error {
	var rec appRecord
	if err := json.Unmarshal(value, &rec); err != nil || rec.Data == nil {
		return sessionstore.ErrRecord
	}
	*r = sessionstore.Record{Data: rec.Data, Flash: rec.Flash, Permanent: rec.Permanent}
	return nil
}

// app is the rig of an app's sessions.
func app(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	bubble(t, sessionstore.Options{Codec: appCodec{}, IdleTimeout: time.Hour}, f)
}

// login makes a session as the app would.
func (r *rig) login() string {
	r.Helper()
	out := r.do(&sessionstore.Session{Scope: here}, update(`{"a":1}`))
	if !r.ValidID(out.ID) {
		r.Fatalf("beginning a session: %+v", out)
	}
	return out.ID
}

func (r *rig) raw(id string) []byte {
	r.Helper()
	e, err := r.ledger.Get(context.Background(), "app:"+id)
	if err != nil {
		r.Error(err)
	}
	return e.Value
}

func (r *rig) keys() (n int) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	for key := range r.ledger.keys {
		if e, _ := r.ledger.Get(context.Background(), key); e.Found() {
			n++
		}
	}
	return n
}

func TestForeignSessionHasNoCreationTimeAndNoScope(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		other, err := r.Load(context.Background(), id, sessionstore.Scope{Site: "another"})
		if err != nil || !other.Exists() {
			t.Fatalf("the app's secret says whose it is, not a scope: %v", err)
		}
		if !other.Created().IsZero() || !other.AbsoluteEnd().IsZero() {
			t.Errorf("created %v, ends %v", other.Created(), other.AbsoluteEnd())
		}
		for range 60 { // far beyond the absolute timeout, if there were one
			time.Sleep(50 * time.Minute)
			if err := r.Touch(context.Background(), r.exists(id)); err != nil {
				t.Fatal(err)
			}
		}
		s := r.exists(id)
		if want := time.Now().Add(time.Hour); !s.CookieEnd().Equal(want) {
			t.Errorf("the cookie ends %v, want %v", s.CookieEnd(), want)
		}
		time.Sleep(time.Hour)
		r.gone(id)
	})
}

func TestForeignRegenerateEndsTheFormerID(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		slow := r.exists(id)
		out := r.do(r.exists(id), update(`{"user":"zoe"}`), regenerate)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		r.gone(id)
		if n := r.keys(); n != 1 {
			t.Errorf("%d records, want the new one alone", n)
		}
		// A request under way commits to the session where it is now, and its client gets no
		// cookie.
		r.outcome(r.do(slow, update(`{"b":2}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.want(out.ID, `{"a":1,"user":"zoe","b":2}`)
	})
}

// A stream is looked at when the old record has just gone.
func TestForeignStreamFollowsANewID(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		place := r.exists(id).Place()
		look := func() sessionstore.Place {
			sight, err := r.Look(context.Background(), place.Key)
			if err != nil {
				t.Error(err)
			}
			return sight.From(place)
		}
		var meanwhile sessionstore.Place
		r.store.after(del, 1, func(context.Context, call) error {
			meanwhile = look()
			return nil
		})
		out := r.do(r.exists(id), regenerate)
		if want := "app:" + out.ID; meanwhile.Key != want || look().Key != want {
			t.Errorf("the stream is at %q, then at %q, want %q", meanwhile.Key, look().Key, want)
		}
	})
}

// A change for a new id that fails leads nobody on.
func TestForeignStreamStaysWhereARegenerationFails(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		place := r.exists(id).Place()
		r.store.before(del, 0, func(context.Context, call) error { return errLost })
		r.refuse(errLost, r.exists(id), regenerate)
		r.store.heal()
		time.Sleep(time.Minute) // it is settled meanwhile
		synctest.Wait()
		r.do(r.exists(id), destroy)
		if sight, err := r.Look(context.Background(), place.Key); err != nil || sight.From(place).Key != "" {
			t.Errorf("the stream is at %q (%v), want it to end", sight.From(place).Key, err)
		}
	})
}

func TestForeignLogoutByTheFormerID(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		slow := r.exists(id)
		out := r.do(r.exists(id), regenerate)
		r.do(slow, destroy)
		r.gone(out.ID)
		if n := r.keys(); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}

func TestForeignFormerIDIsForgotten(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		slow := r.exists(id)
		out := r.do(r.exists(id), regenerate)
		time.Sleep(sessionstore.LeadTime)
		r.outcome(r.do(slow, update(`{"b":2}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.want(out.ID, `{"a":1}`)
	})
}

func TestForeignDoubtfulRegenerationIsTakenBack(t *testing.T) {
	for name, happens := range map[string]bool{"it has happened": true, "it has not": false} {
		t.Run(name, func(t *testing.T) {
			app(t, func(t *testing.T, r *rig) {
				id := r.login()
				s := r.exists(id)
				lose := func(context.Context, call) error { return errLost }
				if happens {
					r.store.after(del, 0, lose)
				} else {
					r.store.before(del, 0, lose)
				}
				r.refuse(errLost, s, regenerate, update(`{"login":true}`))
				time.Sleep(2 * time.Second)
				r.store.heal()
				time.Sleep(time.Minute)
				synctest.Wait()
				r.want(id, `{"a":1}`)
				if n := r.keys(); n != 1 {
					t.Errorf("%d records are left", n)
				}
			})
		})
	}
}

// The app saves its session while it is not known whether a regeneration has happened.
func TestForeignDoubtfulRegenerationLeavesNoRecord(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		r.store.before(del, 0, func(context.Context, call) error { return errLost })
		r.refuse(errLost, r.exists(id), regenerate)
		if _, err := r.ledger.CompareAndSet(context.Background(), "app:"+id, r.raw(id), []byte(`{"Data":{"app":true}}`), time.Hour); err != nil {
			t.Fatal(err)
		}
		r.store.heal()
		time.Sleep(time.Minute)
		synctest.Wait()
		r.want(id, `{"app":true}`)
		if n := r.keys(); n != 1 {
			t.Errorf("%d records, want the app's alone", n)
		}
	})
}

func TestForeignEmptiedSessionIsDeleted(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		slow := r.exists(id)
		r.outcome(r.do(r.exists(id), update(`{"a":null}`)), sessionstore.Saved, sessionstore.CookieExpired)
		if r.raw(id) != nil {
			t.Error("the record is still there")
		}
		r.outcome(r.do(slow, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.gone(id)
	})
}

// The app writes as it likes: what it wrote meanwhile is what the change is made to.
func TestForeignConflictWithTheApp(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		s := r.exists(id)
		if _, err := r.ledger.CompareAndSet(context.Background(), "app:"+id, r.raw(id), []byte(`{"Data":{"a":1,"app":true}}`), time.Hour); err != nil {
			t.Fatal(err)
		}
		if out := r.do(s, update(`{"b":2}`), regenerate); out.Conflicts != 1 {
			t.Errorf("%d conflicts", out.Conflicts)
		} else {
			r.want(out.ID, `{"a":1,"app":true,"b":2}`)
		}
	})
}

func TestForeignRecordThatIsNotUnderstood(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		s := r.exists(id)
		damaged := []byte("what is this?")
		if _, err := r.ledger.CompareAndSet(context.Background(), "app:"+id, r.raw(id), damaged, time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Load(context.Background(), id, here); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("loading: %v", err)
		}
		r.refuse(sessionstore.ErrRecord, s, update(`{"b":2}`))
		r.refuse(sessionstore.ErrRecord, s, destroy)
		r.refuse(sessionstore.ErrRecord, s, regenerate, update(`{"b":2}`))
		if !bytes.Equal(r.raw(id), damaged) || r.keys() != 1 {
			t.Error("the record is another now")
		}
	})
}

func TestForeignSessionHasNoIdleTimeoutOfItsOwn(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		r.refuse(sessionstore.ErrInvalid, r.exists(id), idle(time.Minute))
		r.want(id, `{"a":1}`)
	})
}

func TestForeignLostTTLIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sessionstore.Options{Codec: appCodec{}, IdleTimeout: time.Hour})
		id := r.login()
		manager := sessionstore.NewManager(ageless{r.ledger}, sessionstore.Options{Codec: appCodec{}, IdleTimeout: time.Hour})
		for range 10 {
			time.Sleep(50 * time.Minute)
			s, err := manager.Load(context.Background(), id, here)
			if err != nil || !s.Exists() || !s.TouchDue() {
				t.Fatalf("exists %t, touch due %t, %v", s.Exists(), s.TouchDue(), err)
			}
			if err := manager.Touch(context.Background(), s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// ageless is a store that cannot tell how old its records are.
type ageless struct{ sessionstore.Store }

func (s ageless) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	e, err := s.Store.Get(ctx, key)
	if e.Found() {
		e.TTL, e.TTLUnknown = time.Hour, true
	}
	return e, err
}

// TestAppsGetMessagesOfTwoTexts whatever the framework's own form of a message is.
func TestAppsGetMessagesOfTwoTexts(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		for _, own := range []string{`["m",{" m":"<b>"}]`, `["m",5]`, `["m",["a"]]`, `[null,"x"]`, `[true,1.5]`} {
			s, err := r.Unpack([]byte(`{"Data":{"a":1},"Flash":[["m","x",`+own+`],["m","\",["]]}`), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Flash(); got != `[["m","x"],["m","\",["]]` {
				t.Errorf("%s: the app gets %s", own, got)
			}
		}
	})
}

func TestClientSide(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		pack := func(s *sessionstore.Session, cookie sessionstore.Cookie, want string, parts ...part) {
			t.Helper()
			out, value, err := r.Pack(s, change(parts...))
			if err != nil || out.Cookie != cookie || string(value) != want {
				t.Errorf("cookie %d, %s, error %v; want %d, %s", out.Cookie, value, err, cookie, want)
			}
		}
		unpack := func(value string, age time.Duration) *sessionstore.Session {
			t.Helper()
			s, err := r.Unpack([]byte(value), age)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		const (
			kept, set, expired = sessionstore.CookieKept, sessionstore.CookieSet, sessionstore.CookieExpired
			one                = `{"Data":{"a":1}}`
		)
		none := new(sessionstore.Session)
		pack(none, set, one, update(`{"a":1}`))
		pack(none, kept, "", regenerate)
		pack(none, kept, "", permanent(true))
		pack(none, expired, "", destroy)
		pack(unpack(one, 0), set, `{"Data":{"a":1,"b":2}}`, update(`{"b":2}`), regenerate)
		pack(unpack(one, 0), kept, "", update(`{"a":1}`))
		pack(unpack(one, 0), set, `{"Data":{"a":1},"Flash":[["message","hi"]]}`, flash(`"hi"`))
		pack(unpack(`{"Data":{"a":1},"Flash":[["message","hi"]]}`, 0), set, one, seen)
		pack(unpack(one, 0), set, `{"Data":{"a":1},"Permanent":true}`, permanent(true))
		pack(unpack(one, 0), expired, "", update(`{"a":null}`))
		pack(unpack(one, 0), expired, "", destroy)
		pack(unpack(one, 0), set, `{"Data":{"b":2}}`, destroy, seen, update(`{"b":2}`))

		if s := unpack(one, 59*time.Minute); !s.Exists() || s.Expires() != time.Now().Add(time.Minute) {
			t.Errorf("exists %t, expires %v", s.Exists(), s.Expires())
		}
		if unpack(one, time.Hour).Exists() {
			t.Error("an expired value is a session")
		}
		if _, err := r.Unpack([]byte("?"), 0); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("unpacking what it cannot be: %v", err)
		}
		if _, _, err := r.Pack(unpack(one, 0), change(update(`[{"op":"remove","path":"/x"}]`))); !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("packing an invalid change: %v", err)
		}
		included := unpack(one, 0)
		included.NoCookie = true
		if _, _, err := r.Pack(included, change(update(`{"b":2}`))); !errors.Is(err, sessionstore.ErrNeedsCookie) {
			t.Errorf("packing where there can be no cookie: %v", err)
		}
	})
}
