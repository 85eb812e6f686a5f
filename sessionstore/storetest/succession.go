package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// raceRounds is the number of rounds of each race, and minRounds that of a race whose time is over.
const raceRounds, minRounds = 1000, 20

// raceTime bounds the total time of a race, since some stores sync a disk.
func raceTime() time.Duration {
	if longtest.All() {
		return 5 * time.Second
	}
	return 200 * time.Millisecond
}

// racers are two managers of one store, like two proxies.
type racers struct {
	*checker
	managers [2]*sessionstore.Manager
}

var scope = sessionstore.Scope{Site: "race"}

func (c *checker) race(round func(r *racers)) {
	r := &racers{checker: c}
	for i := range r.managers {
		r.managers[i] = sessionstore.NewManager(c.store, sessionstore.Options{StoreTimeout: time.Minute})
	}
	end := time.Now().Add(raceTime())
	for n := range raceRounds {
		if c.Failed() || n >= minRounds && time.Now().After(end) {
			c.Logf("%d rounds", n)
			return
		}
		round(r)
	}
}

// begin creates a session and loads it n times, alternating between the managers.
func (r *racers) begin(n int) (id string, loaded []*sessionstore.Session) {
	r.Helper()
	out := r.commit(0, &sessionstore.Session{Scope: scope}, &sessionstore.Change{Edits: field("a")})
	for i := range n {
		loaded = append(loaded, r.load(i, out.ID))
	}
	return out.ID, loaded
}

func (r *racers) load(by int, id string) *sessionstore.Session {
	r.Helper()
	s, err := r.managers[by%2].Load(r.Context(), id, scope)
	if err != nil {
		r.Errorf("loading: %v", err)
	}
	return s
}

func (r *racers) commit(by int, s *sessionstore.Session, change *sessionstore.Change) sessionstore.Outcome {
	r.Helper()
	out, err := r.managers[by%2].Commit(r.Context(), s, change)
	if err != nil {
		r.Errorf("committing: %v", err)
	}
	return out
}

// atOnce commits the changes concurrently.
func (r *racers) atOnce(loaded []*sessionstore.Session, changes ...*sessionstore.Change) []sessionstore.Outcome {
	outs := make([]sessionstore.Outcome, len(changes))
	var all sync.WaitGroup
	for i := range changes {
		all.Go(func() { outs[i] = r.commit(i, loaded[i], changes[i]) })
	}
	all.Wait()
	return outs
}

// holds checks the data of a session. "" means no session.
func (r *racers) holds(by int, id, data string) {
	r.Helper()
	if s := r.load(by, id); s.Exists() != (data != "") || s.Exists() && s.Data() != data {
		r.Errorf("exists %t, data %s, want %q", s.Exists(), s.Data(), data)
	}
}

func field(name string) []sessionstore.Edit {
	path, err := jsondoc.ParsePath(name)
	if err != nil {
		panic(err)
	}
	value, err := jsondoc.Parse("1", 1)
	if err != nil {
		panic(err)
	}
	return []sessionstore.Edit{jsondoc.Assign{Field: path, Value: &value}}
}

func login(name string) *sessionstore.Change {
	return &sessionstore.Change{Edits: field(name), Regenerate: true}
}

// regenerateOrDestroy: whichever comes first, both sessions have ended when both commits have
// returned.
func regenerateOrDestroy(c *checker) {
	c.race(func(r *racers) {
		id, loaded := r.begin(2)
		outs := r.atOnce(loaded, login("b"), &sessionstore.Change{Destroy: true})
		r.holds(0, id, "")
		if outs[0].ID != "" {
			r.holds(1, outs[0].ID, "")
		}
		r.holds(1, id, "")
	})
}

// twoRegenerates: each makes a session of its own, without the other's data.
func twoRegenerates(c *checker) {
	c.race(func(r *racers) {
		id, loaded := r.begin(2)
		outs := r.atOnce(loaded, login("b"), login("c"))
		r.holds(0, id, `{"a":1}`)
		r.holds(0, outs[1].ID, `{"a":1,"c":1}`)
		r.holds(1, id, "")
		r.holds(1, outs[0].ID, `{"a":1,"b":1}`)
	})
}

// regenerateAndChanges: the session under the new id has all concurrent changes, and no change of a
// later request with the old id.
func regenerateAndChanges(c *checker) {
	c.race(func(r *racers) {
		id, loaded := r.begin(4)
		changes := []*sessionstore.Change{login("b")}
		for i := range 3 {
			changes = append(changes, &sessionstore.Change{Edits: field(fmt.Sprint("c", i))})
		}
		outs := r.atOnce(loaded, changes...)
		later := r.load(1, id)
		r.commit(1, later, &sessionstore.Change{Edits: field("later")})
		s := r.load(0, outs[0].ID)
		if n := len(s.Data()); n != len(`{"a":1,"b":1,"c0":1,"c1":1,"c2":1}`) {
			r.Errorf("the session has %s", s.Data())
		}
		r.holds(1, id, "")
	})
}
