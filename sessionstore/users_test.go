package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var byUser = sessionstore.Options{User: paths("user")[0]}

// isIndex reports whether a key is that of a user's index.
func isIndex(key string) bool { return strings.HasPrefix(key, "user.") }

// loseIndex loses what happens to indexes.
func loseIndex(_ context.Context, c call) error {
	if isIndex(c.key) {
		return errLost
	}
	return nil
}

func loggedIn(name string) part { return update(fmt.Sprintf(`{"user":%q}`, name)) }

// sessions are the refs of a user's sessions, sorted.
func (r *rig) sessions(user string) (refs []string) {
	r.Helper()
	list, err := r.UserSessions(context.Background(), here, user)
	if err != nil {
		r.Errorf("sessions of %s: %v", user, err)
	}
	for _, i := range list {
		if i.User != user || i.Scope != here {
			r.Errorf("a session of %q in %v is listed for %q", i.User, i.Scope, user)
		}
		refs = append(refs, i.Ref)
	}
	slices.Sort(refs)
	return refs
}

// listed checks which sessions a user has, by their ids.
func (r *rig) listed(user string, ids ...string) {
	r.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, sessionstore.Ref(id))
	}
	slices.Sort(want)
	if got := r.sessions(user); !slices.Equal(got, want) {
		r.Errorf("%s has the sessions %v, want %v", user, got, want)
	}
}

// entries is how many sessions are in all indexes, seen by nobody.
func (r *rig) entries() (n int) {
	r.Helper()
	for _, rec := range r.records() {
		n += len(rec.Sessions) / 40
	}
	return n
}

// visit is a request that changes nothing.
func (r *rig) visit(id string) {
	r.Helper()
	s := r.exists(id)
	if s.TouchDue() || s.FirstUse() {
		if err := r.Touch(context.Background(), s); err != nil {
			r.Error(err)
		}
	}
}

func TestWhoIsAUser(t *testing.T) {
	for name, o := range map[string]sessionstore.Options{
		"native": byUser, "another program's format": {User: byUser.User, Codec: appCodec{}},
	} {
		r := newRig(t, o)
		for data, want := range map[string]string{
			`{"user":"zoe"}`:      "zoe",
			`{"user":"Zo\u00eb"}`: "Zoë",
			`{"user":17}`:         "17",
			`{"user":1.50}`:       "1.50",
			`{"user":"a b"}`:      "a b",
			`{"user":"` + strings.Repeat("u", sessionstore.MaxUser) + `"}`:   strings.Repeat("u", sessionstore.MaxUser),
			`{"user":"` + strings.Repeat("u", sessionstore.MaxUser+1) + `"}`: "",
			`{"user":""}`:           "",
			`{"user":null,"a":1}`:   "",
			`{"user":false}`:        "",
			`{"user":true}`:         "",
			`{"user":["zoe"]}`:      "",
			`{"user":{"name":"z"}}`: "",
			`{"user":"a\nb"}`:       "",
			`{"user":"a\u007f"}`:    "",
			`{"user":"a\u0085"}`:    "",
			`{"other":"zoe"}`:       "",
		} {
			out := r.do(&sessionstore.Session{Scope: here}, update(data))
			if got := r.exists(out.ID).User(); got != want {
				t.Errorf("%s, %s: the user %q, want %q", name, data, got, want)
			}
		}
	}
}

// A configuration that names another field, or for the first time one, counts for the sessions that
// are there. The next touch lists them.
func TestUserUnderAnotherConfiguration(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, before *rig) {
		id := before.begin(update(`{"user":"zoe","mail":"m@example.org"}`))
		byMail := before.another(sessionstore.Options{User: paths("mail")[0], AnonymousTimeout: time.Minute})
		with := before.another(sessionstore.Options{User: byUser.User, AnonymousTimeout: time.Minute})
		for range 2 {
			time.Sleep(2 * time.Minute) // it is not anonymous
			with.visit(id)
			with.listed("zoe", id)
			if got := byMail.exists(id).User(); got != "m@example.org" {
				t.Errorf("by another field, the user is %q", got)
			}
			byMail.visit(id)
			byMail.listed("m@example.org", id)
			if got := before.exists(id).User(); got != "" {
				t.Errorf("without the option, the user is %q", got)
			}
		}
		if _, err := before.UserSessions(t.Context(), here, "zoe"); !errors.Is(err, sessionstore.ErrNoIndex) {
			t.Errorf("without the option, the error is %v", err)
		}
	})
}

func TestAnonymousTimeout(t *testing.T) {
	bubble(t, sessionstore.Options{User: byUser.User, IdleTimeout: time.Hour, AnonymousTimeout: time.Minute}, func(t *testing.T, r *rig) {
		visitor, user := r.begin(update(`{"a":1}`)), r.begin(loggedIn("zoe"))
		own := r.begin(update(`{"a":1}`), idle(10*time.Minute))
		if ttl := r.entry(visitor).TTL; ttl != time.Minute {
			t.Errorf("a visitor's record is kept for %v", ttl)
		}
		time.Sleep(time.Minute - time.Millisecond)
		r.visit(visitor)
		time.Sleep(time.Minute - time.Millisecond)
		in := r.do(r.exists(visitor), loggedIn("bob")).ID // and is no visitor any more
		r.visit(in)
		visitor = r.begin(update(`{"a":1}`))
		time.Sleep(time.Minute)
		r.gone(visitor)
		r.exists(own)
		r.exists(user)
		out := r.do(r.exists(in), update(`{"user":null,"a":1}`)).ID
		r.exists(out)
		time.Sleep(time.Minute)
		r.gone(out)
		time.Sleep(time.Hour - 3*time.Minute)
		r.gone(own)
		r.gone(user)
	})
}

// A change of the user always calls for a new id.
func TestAnotherUserGetsANewID(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(update(`{"a":1}`))
	in := r.do(r.exists(id), loggedIn("zoe"))
	r.outcome(in, sessionstore.Saved, sessionstore.CookieSet)
	r.firstUse(in.ID, id)
	r.listed("zoe", in.ID)
	other := r.do(r.exists(in.ID), loggedIn("bob"))
	r.outcome(other, sessionstore.Saved, sessionstore.CookieSet)
	r.listed("bob") // nobody has used it
	r.listed("zoe", in.ID)
	r.firstUse(other.ID, in.ID)
	r.listed("bob", other.ID)
	r.listed("zoe")
	out := r.do(r.exists(other.ID), update(`{"user":null}`))
	r.firstUse(out.ID, other.ID)
	r.listed("bob")
	if n := r.entries(); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// firstUse is the first use of an id, after which the old one is gone.
func (r *rig) firstUse(id, old string) {
	r.Helper()
	r.visit(id)
	r.gone(old)
}

// The sessions of one user in two scopes are apart, and so are users whose names could be confused.
func TestUsersAreApart(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(loggedIn("zoe"))
	there := sessionstore.Scope{Site: "name ", Host: "example.net"}
	out := r.do(&sessionstore.Session{Scope: there}, loggedIn("zoe"))
	r.begin(loggedIn("Zoe"))
	r.begin(loggedIn("zoe "))
	r.listed("zoe", id)
	list, err := r.UserSessions(t.Context(), there, "zoe")
	if err != nil || len(list) != 1 || list[0].Ref != out.Ref {
		t.Errorf("elsewhere: %v, %v", list, err)
	}
	if n, err := r.EndUser(t.Context(), there, "zoe", ""); n != 1 || err != nil {
		t.Errorf("%d have ended, %v", n, err)
	}
	r.listed("zoe", id)
	if list, err := r.UserSessions(t.Context(), here, ""); len(list) > 0 || err != nil {
		t.Errorf("nobody has %v, %v", list, err)
	}
}

func TestWhatASessionSaysToOperators(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		began := time.Now()
		id := r.begin(loggedIn("zoe"), permanent(true))
		time.Sleep(2 * time.Hour)
		r.visit(id)
		used := time.Now()
		time.Sleep(time.Minute)
		list, err := r.UserSessions(t.Context(), here, "zoe")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		i := list[0]
		if !i.Created.Equal(began.Truncate(time.Millisecond)) || !i.Used.Equal(used) || !i.Expires.Equal(used.Add(24*time.Hour)) ||
			i.Size != len(r.entry(id).Value) || !i.Permanent || i.Unused {
			t.Errorf("%+v", i)
		}
		if i, ok, err := r.Describe("x", sessionstore.Entry{}); ok || err != nil {
			t.Errorf("of nothing: %+v, %v", i, err)
		}
		if _, _, err := r.Describe("x", sessionstore.Entry{Value: []byte("x"), TTL: 1}); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("of another program's record: %v", err)
		}
	})
}

// A login whose index cannot be written is refused, and has changed nothing.
func TestLoginWithoutIndexChangesNothing(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(update(`{"a":1}`))
	for _, o := range []op{get, set} {
		r.store.before(o, 0, loseIndex)
		r.refuse(errLost, r.exists(id), loggedIn("zoe"))
		r.refuse(errLost, &sessionstore.Session{Scope: here}, loggedIn("zoe"))
		r.do(r.exists(id), update(`{"b":2}`)) // others go on
		r.store.heal()
		if n := len(r.records()); n != 1 {
			t.Errorf("there are %d records, want 1", n)
		}
	}
	s := r.exists(id)
	if s.User() != "" || s.Former() {
		t.Errorf("the user is %q, former %t", s.User(), s.Former())
	}
	// Where the answer alone is lost, what was listed is taken out again.
	r.store.after(set, 0, loseIndex)
	r.refuse(errLost, r.exists(id), loggedIn("zoe"))
	r.store.heal()
	r.listed("zoe")
	if n := r.entries(); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// A login that dies anywhere leaves no entry without a session after the next reading, and is
// repeated with success.
func TestLoginThatDies(t *testing.T) {
	for n := 1; n < 12; n++ {
		for _, late := range []bool{false, true} {
			r := newRig(t, byUser)
			id := r.begin(update(`{"a":1}`))
			s := r.exists(id)
			dead := r.another(byUser)
			done := 0
			die := func(context.Context, call) error {
				if done++; done >= n {
					return errLost
				}
				return nil
			}
			for _, o := range []op{get, set, del, touch} {
				if late {
					dead.store.after(o, 0, die)
				} else {
					dead.store.before(o, 0, die)
				}
			}
			_, err := dead.Commit(context.Background(), s, change(loggedIn("zoe")))
			r.listed("zoe")
			if lost := r.entries(); lost > 1 || lost == 1 && r.count(sessionstore.Live) < 2 {
				t.Errorf("dead at %d, late %t: %d entries without a session", n, late, lost)
			}
			if err == nil {
				continue
			}
			out := r.do(r.exists(id), loggedIn("zoe"))
			r.visit(out.ID)
			r.listed("zoe", out.ID)
		}
	}
}

// A session that is missing in the index is entered at its next touch or save, once in an interval.
func TestIndexRepairsItself(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id, saving := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
		lose := func() {
			for key := range r.records() {
				if isIndex(key) {
					e, _ := r.ledger.Get(t.Context(), key)
					if _, err := r.ledger.CompareAndDelete(t.Context(), key, e.Value); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		lose()
		r.listed("zoe")
		r.visit(id)
		r.do(r.exists(saving), update(`{"a":1}`))
		r.listed("zoe") // not yet
		for i := range 3 {
			time.Sleep(72 * time.Minute)
			r.visit(id)
			r.do(r.exists(saving), update(fmt.Sprintf(`{"a":%d}`, i+2)))
			r.listed("zoe", id, saving)
			if i == 0 {
				lose()
			}
		}
		// The saves of an interval look at the index once.
		r.store.heal()
		for i := range 10 {
			r.do(r.exists(saving), update(fmt.Sprintf(`{"b":%d}`, i)))
		}
		if gets := r.store.count(get); gets != 10 {
			t.Errorf("ten loads and saves took %d reads", gets)
		}
		// A save does not fail because of the index.
		time.Sleep(72 * time.Minute)
		r.store.before(get, 0, loseIndex)
		r.do(r.exists(saving), update(`{"c":1}`))
	})
}

// The index lives as long as the sessions that are used, and not much longer.
func TestIndexExpiresWithItsSessions(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"))
		other := r.begin(loggedIn("zoe"), idle(100*time.Hour))
		for range 10 {
			time.Sleep(20 * time.Hour)
			r.visit(id)
			r.listed("zoe", id, other)
			r.visit(other)
		}
		long := r.begin(loggedIn("bob"))
		for range 20 {
			time.Sleep(23 * time.Hour)
			r.do(r.exists(long), update(`[{"op":"increment","path":"/n","value":1}]`))
			r.listed("bob", long)
		}
		time.Sleep(110 * time.Hour)
		if n := len(r.records()); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}

// Nobody is locked out by an index that is damaged, or is another program's. Whoever reads it is
// told.
func TestDamagedIndexLocksNobodyOut(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(loggedIn("zoe"))
	for key, rec := range r.records() {
		if rec.State != sessionstore.Index {
			continue
		}
		e, _ := r.ledger.Get(t.Context(), key)
		if _, err := r.ledger.CompareAndSet(t.Context(), key, e.Value, e.Value[:len(e.Value)-1], time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.UserSessions(t.Context(), here, "zoe"); !errors.Is(err, sessionstore.ErrRecord) {
		t.Errorf("error %v", err)
	}
	if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != 0 || !errors.Is(err, sessionstore.ErrRecord) {
		t.Errorf("%d have ended, %v", n, err)
	}
	r.do(r.exists(id), update(`{"a":1}`))
	r.listed("zoe", r.begin(loggedIn("zoe")))
}

// A user has at most a thousand sessions. With one more, the first ends; but those that are over
// count no more.
func TestThousandSessionsOfAUser(t *testing.T) {
	longtest.Test(t)
	options := byUser
	options.StoreTimeout = time.Minute // the machine may stand still
	r := newRig(t, options)
	var ids []string
	for range 1000 {
		ids = append(ids, r.begin(loggedIn("zoe")))
	}
	r.exists(ids[0])
	if n := len(r.sessions("zoe")); n != 1000 {
		t.Errorf("%d sessions, want 1000", n)
	}
	r.store.heal()
	r.begin(loggedIn("zoe"))
	if n := r.store.count(get) + r.store.count(set) + r.store.count(del); n > 50 {
		t.Errorf("a login took %d operations", n)
	}
	r.gone(ids[0])
	r.exists(ids[1])
	for _, id := range ids[2:900] {
		r.do(r.exists(id), destroy)
	}
	for range 700 {
		id := r.begin(loggedIn("zoe"))
		r.do(r.exists(id), destroy)
	}
	r.exists(ids[1])
	r.exists(ids[901])
	if n := r.entries(); n > 1000 {
		t.Errorf("%d entries", n)
	}
}

// Logins of one user at once share the writes of the index, in two processes.
func TestManyLoginsOfOneUserAtOnce(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		managers := []*rig{r, r.another(byUser)}
		for _, m := range managers {
			for _, o := range []op{get, set} {
				m.store.before(o, 0, slow(time.Millisecond))
			}
		}
		done := make(chan string)
		for i := range 200 {
			go func() {
				out, err := managers[i%2].Commit(context.Background(), &sessionstore.Session{Scope: here}, change(loggedIn("zoe")))
				if err != nil {
					t.Error(err)
				}
				done <- out.ID
			}()
		}
		var ids []string
		for range 200 {
			ids = append(ids, <-done)
		}
		for _, m := range managers {
			if n := m.store.count(set); n > 100+40 {
				t.Errorf("100 logins took %d writes", n)
			}
		}
		r.listed("zoe", ids...)
		if r.Queues() != 0 {
			t.Error("a queue is left")
		}
	})
}

// An index is no session, whoever asks for its key.
func TestIndexIsNoSession(t *testing.T) {
	r := newRig(t, byUser)
	r.begin(loggedIn("zoe"))
	for key := range r.records() {
		if !isIndex(key) {
			continue
		}
		if s, err := r.LoadRef(t.Context(), key, here); s.Exists() || err != nil {
			t.Errorf("an index was loaded, %v", err)
		}
		if ended, err := r.End(t.Context(), key); ended || err != nil {
			t.Errorf("an index was ended, %v", err)
		}
	}
	if r.count(sessionstore.Index) != 1 {
		t.Error("the index is gone")
	}
}
