package keep

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/signer"
)

// keeperRig has a keeper on a store in memory, in a bubble of synctest.
type keeperRig struct {
	*testing.T
	keeper  *Store
	manager *sessionstore.Manager // to look without being a use of a session
}

func keeping(t *testing.T, test func(r *keeperRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sgn, err := signer.New(signer.Options{Keys: [][]byte{[]byte(strings.Repeat("k", 32))}})
		if err != nil {
			t.Fatal(err)
		}
		store := memory.New(memory.Options{})
		defer store.Close()
		k, err := NewStore(StoreOptions{
			Open:    func() (sessionstore.Store, func(), error) { return store, func() {}, nil },
			Cookies: func(context.Context) (dialects.Cookies, error) { return sgn, nil },
			Logger:  zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		test(&keeperRig{t, k, sessionstore.NewManager(store, sessionstore.Options{})})
	})
}

func (r *keeperRig) visit(cookies ...string) *Visit {
	r.Helper()
	v := &Visit{Request: httptest.NewRequest("GET", "/", nil), Session: Nobody, Cookies: cookies}
	if err := r.keeper.Enter(v); err != nil {
		r.Fatal(err)
	}
	if err := r.keeper.Find(v); err != nil {
		r.Fatal(err)
	}
	return v
}

func (r *keeperRig) end(v *Visit) {
	r.keeper.Leave(v)
	v.LetGo()
}

// save sets a field of the data.
func (r *keeperRig) save(v *Visit, name string, regenerate bool) Outcome {
	r.Helper()
	value := jsondoc.NewString("zoe")
	out, err := r.keeper.Save(v, &sessionstore.Change{
		Edits: []sessionstore.Edit{jsondoc.Assign{Field: field(name), Value: &value}}, Regenerate: regenerate,
	}, nil)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func (r *keeperRig) load(id string) *sessionstore.Session {
	r.Helper()
	s, err := r.manager.Load(r.Context(), id, sessionstore.Scope{})
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// uses returns the number of visits and of background operations.
func (k *Store) uses() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.users
}

// A session is refreshed while its request is running, and no longer. The store is not held so
// long.
func TestSessionOfARunningRequestDoesNotExpire(t *testing.T) {
	keeping(t, func(r *keeperRig) {
		first := r.visit()
		out := r.save(first, "user", false)
		r.keeper.Leave(first)
		time.Sleep(100 * time.Hour)
		if !r.load(out.ID).Exists() {
			t.Error("the session has idled out under the request that began it")
		}

		v := r.visit(out.Value)
		first.LetGo()
		r.keeper.Leave(v)
		r.keeper.Leave(v)
		if n := r.keeper.uses(); n != 0 {
			t.Errorf("%d uses of the store during a long response, want none", n)
		}
		time.Sleep(100 * time.Hour)
		if !r.load(out.ID).Exists() {
			t.Error("the session has idled out under a request")
		}
		v.LetGo()
		v.LetGo()
		time.Sleep(sessionstore.DefaultIdleTimeout + time.Second)
		if r.load(out.ID).Exists() {
			t.Error("the session has not idled out after the request")
		}
	})
}

// TestLongResponseKeepsTheSessionThatItHasMade has responses whose change makes the idle timeout
// short, or begins another session, and that go on for long.
func TestLongResponseKeepsTheSessionThatItHasMade(t *testing.T) {
	short := 30 * time.Second
	value := jsondoc.NewString("zoe")
	edits := []sessionstore.Edit{jsondoc.Assign{Field: field("user"), Value: &value}}
	for name, c := range map[string]struct {
		begun  bool // there is a session before
		change sessionstore.Change
	}{
		"a shorter timeout":          {true, sessionstore.Change{Edits: edits, IdleTimeout: &short}},
		"a session with a short one": {false, sessionstore.Change{Edits: edits, IdleTimeout: &short}},
		"another session":            {true, sessionstore.Change{Edits: edits, Destroy: true}},
		"a new id":                   {true, sessionstore.Change{Edits: edits, Regenerate: true, IdleTimeout: &short}},
	} {
		t.Run(name, func(t *testing.T) {
			keeping(t, func(r *keeperRig) {
				var cookies []string
				id := ""
				if c.begun {
					v := r.visit()
					out := r.save(v, "visits", false)
					r.end(v)
					cookies, id = []string{out.Value}, out.ID
				}
				v := r.visit(cookies...)
				out, err := r.keeper.Save(v, &c.change, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.keeper.Leave(v)
				time.Sleep(48 * time.Hour)
				if out.ID != "" {
					id = out.ID
				}
				if !r.load(id).Exists() {
					t.Error("the session has idled out under the response")
				}
				v.LetGo()
				time.Sleep(sessionstore.DefaultIdleTimeout + time.Second)
				if r.load(id).Exists() {
					t.Error("the session has not idled out afterwards")
				}
			})
		})
	}
}

// TestSlowRequestsWithTheOldIDDoNotHideOneUnderWay has many slow requests that came with the old id
// after a new one was made. One that was under way before still finds the successor, long after the
// mark that leads there is gone.
func TestSlowRequestsWithTheOldIDDoNotHideOneUnderWay(t *testing.T) {
	keeping(t, func(r *keeperRig) {
		begun := r.visit()
		old := r.save(begun, "visits", false)
		r.end(begun)
		under := r.visit(old.Value)
		login := r.visit(old.Value)
		now := r.save(login, "user", true)
		r.end(login)
		var slow []*Visit
		for range 20 {
			slow = append(slow, r.visit(old.Value))
		}
		r.end(r.visit(now.Value)) // the first use of the new id
		time.Sleep(10 * time.Minute)
		if out := r.save(under, "cart", false); out.Result != sessionstore.Saved {
			t.Errorf("the change of a request under way: %v", out.Result)
		}
		if data := r.load(now.ID).Data(); !strings.Contains(data, "cart") {
			t.Errorf("the successor has %s", data)
		}
		r.end(under)
		for _, v := range slow {
			r.end(v)
		}
	})
}
