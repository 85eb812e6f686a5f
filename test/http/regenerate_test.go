package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRegenerate(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	first := b.change("update", `{"a":1}`).issues()
	before := b.look().info()
	old := b.cookies()
	second := b.change("control", "regenerate", "update", `{"login":1}`).issues()
	if second.Value == first.Value || second.MaxAge > first.MaxAge {
		t.Errorf("the cookie after: %v", second.MaxAge)
	}

	// A request with the old id sees what was there before, and may change it. It gets a cookie
	// only if it asks for a new id itself.
	former := b.holding(old)
	for range 3 {
		if r := former.look().holds(`{"a":1}`).keeps(); r.info().ref != before.ref {
			t.Error("another ref")
		}
	}
	for _, pairs := range [][]string{
		{"update", `{"x":1}`}, {"control", "permanent=?0"}, {"control", "idle-timeout=600"}, {"flash", `"hi"`},
	} {
		former.change(pairs...).keeps()
	}
	former.look().holds(`{"a":1,"x":1}`).flashes(`[["message","hi"]]`).keeps()
	second = former.change("control", "regenerate", "update", `{"login":2}`).issues()
	again := b.holding("caddy_session=" + second.Value)

	// The first use of a new id ends the old one.
	after := b.look().holds(`{"a":1,"login":1}`).flashes("").info()
	if after.ref == before.ref || !after.created.Equal(before.created) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	for range 3 {
		former.look().holds("{}").keeps()
	}
	again.look().holds(`{"a":1,"x":1,"login":2}`)
	b.look().holds(`{"a":1,"login":1}`)
}

// A logout with the old id deletes its cookie, and does not affect the new id.
func TestDestroyWithOldID(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	old := b.cookies()
	b.change("control", "regenerate", "update", `{"login":1}`)
	b.holding(old).change("control", "destroy").expires()
	b.holding(old).look().holds("{}")
	b.look().holds(`{"a":1,"login":1}`)
	// With a message, it begins another session.
	old = b.cookies()
	b.change("control", "regenerate")
	c := b.holding(old).change("control", "destroy", "update", `{"b":1}`).issues()
	b.holding("caddy_session=" + c.Value).look().holds(`{"b":1}`)
	b.look().holds(`{"a":1,"login":1}`)
	// A logout with the new id ends the old one, too.
	old = b.cookies()
	b.change("control", "regenerate")
	b.change("control", "destroy").expires()
	b.holding(old).look().holds("{}").keeps()
}

// A request that loaded the old id continues with the new record, unless it asks for a new id
// itself.
func TestRegenerateDuringOtherRequests(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	old := b.holding(b.cookies())
	update, login, late, end := b.hold("update", `{"slow":1}`), old.hold("control", "regenerate", "update", `{"slow":2}`), old.hold("control", "regenerate"), b.hold("control", "destroy")
	b.change("control", "regenerate", "update", `{"login":1}`).issues()
	update.release().keeps()
	c := login.release().issues()
	b.look().holds(`{"a":1,"login":1,"slow":1}`)
	b.holding("caddy_session=" + c.Value).look().holds(`{"a":1,"slow":2}`)
	late.release().keeps()
	end.release().expires()
	b.look().holds("{}")
}

// TestParallelRegenerate: each response has its own session, so whichever the browser sees last
// shows its login, as after a double click on "Log in".
func TestParallelRegenerate(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	fixed := b.holding(b.cookies())
	const n = 20
	var slow []*held
	for i := range n {
		slow = append(slow, fixed.hold("control", "regenerate", "update", fmt.Sprintf(`{"k%d":1}`, i)))
	}
	var replies [n]*reply
	var all sync.WaitGroup
	for i, s := range slow {
		all.Go(func() {
			s.let()
			select {
			case replies[i] = <-s.done:
			case <-time.After(patience):
			}
		})
	}
	all.Wait()
	for i, r := range replies {
		if r == nil || r.StatusCode != http.StatusOK {
			t.Fatal("a request failed")
		}
		c := r.cookie()
		if c == nil {
			t.Fatal("a login got no cookie")
		}
		b.holding("caddy_session=" + c.Value).look().holds(fmt.Sprintf(`{"a":1,"k%d":1}`, i))
	}
}

func TestRegenerateManyTimesDuringARequest(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	slow := b.hold("update", `{"slow":1}`)
	first := b.cookies()
	for i := range 5 {
		b.change("control", "regenerate", "update", fmt.Sprintf(`{"r":%d}`, i)).issues()
	}
	b.holding(first).look().holds(`{}`).keeps()
	slow.release().keeps()
	b.look().holds(`{"a":1,"r":4,"slow":1}`)
}

var grace = newSite("grace", `
	session {
		store memory
		secret $SECRET
		regenerate_unused 400ms
		regenerate_on role user.id
	}
	reverse_proxy $BACKEND`)

// TestAnUnusedIDEndsTheOldOne after a time.
func TestAnUnusedIDEndsTheOldOne(t *testing.T) {
	t.Parallel()
	b := grace.browser(t)
	b.change("update", `{"a":1}`)
	former := b.holding(b.cookies())
	slow := former.hold("update", `{"slow":1}`)
	began := time.Now()
	b.change("control", "regenerate")
	former.look().holds(`{"a":1}`)
	// Repeated requests and changes do not prolong it.
	eventually(t, "the old id is unknown", func() bool {
		return former.change("update", `{"b":1}`).cookie() != nil || !former.look().info().exists
	})
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	slow.release().keeps() // it was running
	b.look().holds(`{"a":1,"slow":1}`)
}

func TestRegenerateOn(t *testing.T) {
	t.Parallel()
	b := grace.browser(t)
	b.change("update", `{"a":1,"user":{"name":"x"}}`).issues()
	b.change("update", `{"a":2,"user":{"name":"y"}}`).keeps()
	b.change("update", `{"user":{"id":7}}`).issues()
	b.change("update", `{"user":{"id":7.0},"b":1}`).keeps() // the same number
	b.change("update", `{"role":"admin"}`).issues()
	b.change("update", `{"role":"admin"}`).keeps()
	b.change("update", `{"role":null}`).issues()
	b.change("update", `[{"op":"add","path":"/role","value":1},{"op":"remove","path":"/role"}]`).keeps()
	b.look().holds(`{"a":2,"user":{"name":"y","id":7.0},"b":1}`)
}

func TestDestroyedDuringARequest(t *testing.T) {
	t.Parallel()
	for _, pairs := range [][]string{
		{"update", `{"b":1}`}, {"flash", `"x"`}, {"control", "regenerate"}, {"control", "regenerate", "update", `{"b":1}`},
		{"control", "permanent=?0"}, {"control", "idle-timeout=9"}, {"control", "flash-seen"},
	} {
		t.Run(strings.Join(pairs, " "), func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			b.change("update", `{"a":1}`, "flash", `"old"`)
			old, ref := b.cookies(), b.look().info().ref
			slow := b.hold(pairs...)
			b.change("control", "destroy").expires()
			slow.release().keeps().hides().holds(`{"a":1}`)
			b.holding(old).look().holds("{}").flashes("").keeps()
			if pairs[0] == "update" {
				awaitLog(t, "the dropped change", `the change is dropped","ref":"`+ref)
			}
		})
	}
	t.Run("destroying a session that is gone", func(t *testing.T) {
		t.Parallel()
		b := plain.browser(t)
		b.change("update", `{"a":1}`)
		one, two := b.hold("control", "destroy"), b.hold("control", "destroy", "flash", `"bye"`)
		b.change("control", "destroy").expires()
		one.release().expires()
		two.release().issues()
		b.look().holds("{}").flashes(`[["message","bye"]]`)
	})
}

// An emptied session has ended, but a running request may fill it again.
func TestEmptiedAndFilled(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	old := b.cookies()
	fill, nothing := b.hold("update", `{"b":1}`), b.hold("update", `{"zzz":null}`)
	b.change("update", `{"a":null}`).expires()
	b.look().holds("{}")
	b.holding(old).look().holds("{}").keeps() // for a new request it does not exist
	nothing.release()
	b.look().holds("{}")
	if c := fill.release().issues(); "caddy_session="+c.Value != old {
		t.Error("the refilled session has another id")
	}
	b.look().holds(`{"b":1}`)
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	if c := b.change("update", `{"a":1}`, "control", "permanent=?0").issues(); c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("not permanent: %+v", c)
	}
	b.change("update", `{"a":2}`).keeps()
	b.change("control", "permanent=?0").keeps()
	if c := b.change("control", "permanent").issues(); c.MaxAge < 744*3600-60 {
		t.Errorf("permanent: Max-Age %d", c.MaxAge)
	}
	if c := b.change("control", "permanent=?0").issues(); c.MaxAge != 0 {
		t.Errorf("not permanent: Max-Age %d", c.MaxAge)
	}
	if c := b.change("control", "regenerate").issues(); c.MaxAge != 0 {
		t.Errorf("regenerated: Max-Age %d", c.MaxAge)
	}
}

// Parallel requests with different keys keep all of them, and counters are right.
func TestParallelChanges(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"n":0}`)
	fixed := b.holding(b.cookies())
	const workers, rounds = 8, 10
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				r := fixed.attempt(fixed.request(http.MethodGet, ask("/", "update", increment, "update", fmt.Sprintf(`{"k%d-%d":1}`, w, i)), nil))
				if r == nil || r.StatusCode != http.StatusOK {
					t.Error("a change was refused")
				}
			}
		})
	}
	all.Wait()
	data := b.look().given("X-Session-Data")
	if !strings.HasPrefix(data, fmt.Sprintf(`{"n":%d,`, workers*rounds)) || strings.Count(data, `"k`) != workers*rounds {
		t.Errorf("lost updates: %s", data)
	}
}
