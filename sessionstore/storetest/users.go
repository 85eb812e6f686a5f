package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// userOptions say that the field user names the user, whom setUser sets.
func userOptions() sessionstore.Options {
	path, err := jsondoc.ParsePath("user")
	if err != nil {
		panic(err)
	}
	return sessionstore.Options{User: path, StoreTimeout: time.Minute}
}

func setUser() *sessionstore.Change { return &sessionstore.Change{Edits: field("user")} }

// byUser gives the racers managers that list the sessions of users.
func (r *racers) byUser() {
	for i := range r.managers {
		r.managers[i] = sessionstore.NewManager(r.store, userOptions())
	}
}

// sessions returns the refs of the sessions of the one user.
func (r *racers) sessions(by int) (refs []string) {
	r.Helper()
	list, err := r.managers[by%2].UserSessions(r.Context(), scope, "1")
	if err != nil {
		r.Errorf("the user's sessions: %v", err)
	}
	for _, i := range list {
		refs = append(refs, i.Ref)
	}
	slices.Sort(refs)
	return refs
}

// sessionsOfAUser: whoever logs in at once is listed. All are found and ended.
func sessionsOfAUser(c *checker) {
	r := &racers{checker: c}
	r.byUser()
	const n = 100
	ids, refs := make([]string, n), make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			out := r.commit(i, &sessionstore.Session{Scope: scope}, setUser())
			ids[i], refs[i] = out.ID, out.Ref
		})
	}
	all.Wait()
	slices.Sort(refs)
	for by := range 2 {
		if got := r.sessions(by); !slices.Equal(got, refs) {
			c.Errorf("%d sessions are listed, want %d", len(got), n)
		}
	}
	// Of a session with an unused new id, the old one is listed.
	if out := r.commit(0, r.load(0, ids[0]), &sessionstore.Change{Regenerate: true}); slices.Contains(r.sessions(1), out.Ref) {
		c.Error("an unused session is listed")
	}
	r.commit(1, r.load(1, ids[1]), &sessionstore.Change{Destroy: true})
	if got := r.sessions(0); len(got) != n-1 {
		c.Errorf("%d sessions are listed, want %d", len(got), n-1)
	}
	keep := sessionstore.Ref(ids[2])
	if ended, err := r.managers[0].EndUser(c.Context(), scope, "1", keep); ended != n-2 || err != nil {
		c.Errorf("%d sessions have ended, want %d, %v", ended, n-2, err)
	}
	if got := r.sessions(1); !slices.Equal(got, []string{keep}) {
		c.Errorf("%v are left, want %v", got, keep)
	}
	for i, id := range ids {
		data := ""
		if i == 2 {
			data = `{"user":1}`
		}
		r.holds(i, id, data)
	}
	if ended, err := r.managers[1].End(c.Context(), keep); !ended || err != nil {
		c.Errorf("ended %t, %v", ended, err)
	}
	r.holds(0, ids[2], "")
}

// endAllOrRegenerate: no session of the user is left when both have returned.
func endAllOrRegenerate(c *checker) {
	c.race(func(r *racers) {
		r.byUser()
		id := r.commit(0, &sessionstore.Session{Scope: scope}, setUser()).ID
		loaded := []*sessionstore.Session{r.load(0, id), r.load(1, id)}
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.managers[1].EndUser(c.Context(), scope, "1", ""); err != nil {
				c.Errorf("ending all: %v", err)
			}
		})
		outs := r.atOnce(loaded, login("b"), &sessionstore.Change{Edits: field("c")})
		all.Wait()
		r.holds(1, id, "")
		if outs[0].ID != "" {
			r.holds(0, outs[0].ID, "")
		}
		if left := r.sessions(0); len(left) > 0 {
			c.Error(fmt.Sprint(len(left), " sessions are left"))
		}
	})
}
