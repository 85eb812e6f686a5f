package sessionstore_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const rounds = 1000

// race has two managers, with chance in every step, do something to one session at once, again and
// again. In each round, all have loaded the same state.
func race(t *testing.T, o sessionstore.Options, parts [][]part, check func(r *rig, id string, outs []sessionstore.Outcome)) {
	t.Helper()
	o.StoreTimeout = time.Hour
	r := newRig(t, o)
	managers := []*rig{r, r.another(o)}
	for _, m := range managers {
		for _, op := range []op{get, set, del} {
			m.store.before(op, 0, jitter)
			m.store.after(op, 0, jitter)
		}
	}
	for range rounds {
		if t.Failed() {
			return
		}
		r.ledger.keys = map[string]bool{}
		id := r.begin(update(`{"n":0,"planted":true}`))
		outs := make([]sessionstore.Outcome, len(parts))
		same := rand.N(2) == 0 // all in one process, or not
		by := func(i int) *rig {
			if same {
				return r
			}
			return managers[i%2]
		}
		sessions := make([]*sessionstore.Session, len(parts))
		for i := range parts {
			sessions[i] = by(i).exists(id)
		}
		var all sync.WaitGroup
		for i, parts := range parts {
			all.Go(func() { outs[i] = by(i).do(sessions[i], parts...) })
		}
		all.Wait()
		check(r, id, outs)
	}
}

func jitter(context.Context, call) error {
	for range rand.N(4) {
		runtime.Gosched()
	}
	return nil
}

// logins checks that each of the outcomes gives an id of its own, that the old one stays as it was,
// and that there is nothing else. It returns the data of their sessions.
func logins(r *rig, id string, outs []sessionstore.Outcome) (data []string) {
	r.Helper()
	r.want(id, `{"n":0,"planted":true}`)
	for _, out := range outs {
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		data = append(data, r.exists(out.ID).Data())
	}
	if n := len(r.records()); n != 1+len(outs) {
		r.Errorf("%d records", n)
	}
	r.gone(id)
	return data
}

var (
	count  = update(`[{"op":"increment","path":"/n","value":1}]`)
	signIn = update(`{"user":"u"}`)
)

func TestRaceOfRegenerateAndDestroy(t *testing.T) {
	var dropped, moved int
	race(t, sessionstore.Options{}, [][]part{{regenerate, signIn}, {destroy}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		switch out := outs[0]; {
		case out.Result == sessionstore.Dropped && out.ID == "" && out.Cookie == sessionstore.CookieKept:
			dropped++
		case out.Result == sessionstore.Saved && out.Cookie == sessionstore.CookieSet:
			moved++
			r.gone(out.ID)
		default:
			r.Errorf("%+v", out)
		}
		r.outcome(outs[1], sessionstore.Saved, sessionstore.CookieExpired)
		r.gone(id)
		if n := r.count(sessionstore.Live); n != 0 {
			r.Errorf("%d sessions", n)
		}
	})
	if dropped == 0 || moved == 0 {
		t.Logf("no race: %d dropped, %d regenerated", dropped, moved)
	}
}

func TestRaceOfTwoRegenerates(t *testing.T) {
	race(t, sessionstore.Options{}, [][]part{{regenerate, count, signIn}, {regenerate, count}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		data := logins(r, id, outs)
		if data[0] != `{"n":1,"planted":true,"user":"u"}` || data[1] != `{"n":1,"planted":true}` {
			r.Error(data)
		}
	})
}

// TestRaceOfTwoLogins: neither is in a session whose cookie the other was given.
func TestRaceOfTwoLogins(t *testing.T) {
	o := sessionstore.Options{RegenerateOn: paths("user")}
	race(t, o, [][]part{{update(`{"user":"a"}`), count}, {update(`{"user":"b"}`), count}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		data := logins(r, id, outs)
		if data[0] != `{"n":1,"planted":true,"user":"a"}` || data[1] != `{"n":1,"planted":true,"user":"b"}` {
			r.Error(data)
		}
	})
}

func TestRaceOfRegenerateAndChanges(t *testing.T) {
	parts := [][]part{{regenerate, count, signIn}}
	for range 5 {
		parts = append(parts, []part{count, flash(`"x"`)})
	}
	race(t, sessionstore.Options{}, parts, func(r *rig, id string, outs []sessionstore.Outcome) {
		// What came before it, the old id may see. The login it may not.
		if s := r.exists(id); strings.Contains(s.Data(), "user") || !s.Former() {
			r.Errorf("the old id sees %s", s.Data())
		}
		if data := r.exists(outs[0].ID).Data(); !strings.Contains(data, `"n":6`) || !strings.Contains(data, `"user":"u"`) {
			r.Error(data)
		}
		for _, out := range outs[1:] {
			if out.Cookie != sessionstore.CookieKept {
				r.Errorf("%+v", out)
			}
		}
		if n := strings.Count(r.exists(outs[0].ID).Flash(), `"x"`); n != 5 {
			r.Errorf("%d messages", n)
		}
		r.gone(id)
	})
}

func TestRaceOfChangesAndDestroy(t *testing.T) {
	race(t, sessionstore.Options{}, [][]part{{count}, {destroy, update(`{"new":1}`)}, {count}, {regenerate}, {destroy}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		r.gone(id)
		r.gone(outs[3].ID)
		r.want(outs[1].ID, `{"new":1}`)
		if n := r.count(sessionstore.Live); n != 1 {
			r.Errorf("%d sessions", n)
		}
		for _, i := range []int{0, 2} {
			if out := outs[i]; out.Cookie != sessionstore.CookieKept || out.Result == sessionstore.Unchanged {
				r.Errorf("%+v", out)
			}
		}
	})
}

func TestRaceOfTwoDestroys(t *testing.T) {
	race(t, sessionstore.Options{}, [][]part{{destroy, update(`{"new":1}`)}, {destroy, update(`{"new":2}`)}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		r.gone(id)
		r.want(outs[0].ID, `{"new":1}`)
		r.want(outs[1].ID, `{"new":2}`)
		if n := len(r.records()); n != 2 {
			r.Errorf("%d records", n)
		}
	})
}

func TestRaceOfEmptyingAndFilling(t *testing.T) {
	var set, kept int
	empty := update(`{"n":null,"planted":null}`)
	race(t, sessionstore.Options{}, [][]part{{empty}, {update(`{"b":1}`)}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		r.want(id, `{"b":1}`)
		switch {
		case outs[0].Cookie == sessionstore.CookieExpired && outs[1].Cookie == sessionstore.CookieSet && outs[1].ID == id:
			set++ // emptied, then filled
		case outs[0].Cookie == sessionstore.CookieKept && outs[1].Cookie == sessionstore.CookieKept:
			kept++ // the other way round
		default:
			r.Errorf("%+v", outs)
		}
	})
	if set == 0 || kept == 0 {
		t.Logf("no race: set %d times, kept %d times", set, kept)
	}
}

func TestRaceOfEmptyingAndRegenerating(t *testing.T) {
	empty := update(`{"n":null,"planted":null}`)
	race(t, sessionstore.Options{}, [][]part{{empty}, {regenerate}}, func(r *rig, id string, outs []sessionstore.Outcome) {
		// Emptied first, there is nothing to regenerate. Regenerated first, both records are
		// emptied.
		r.gone(id)
		if outs[1].ID != "" {
			r.gone(outs[1].ID)
		}
	})
}
