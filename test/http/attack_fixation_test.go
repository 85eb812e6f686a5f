package http_test

import (
	"net/http"
	"strings"
	"testing"
)

// An id that the store does not know is never adopted, even if it is signed.
func TestAttackFixationWithUnknownID(t *testing.T) {
	t.Parallel()
	planted := "caddy_session=" + sign(t, secret, "caddy-session", unknownID)
	b := plain.browser(t)
	for _, cookie := range []string{planted, "caddy_session=" + unknownID, "caddy_session=" + unknownID + "." + unknownID} {
		victim := b.holding(cookie)
		victim.look().holds("{}").keeps()
		c := victim.change("update", `{"user":"victim"}`, "control", "regenerate").issues()
		if strings.Contains(c.Value, unknownID) {
			t.Fatal("the planted id was adopted")
		}
		anonymous(b, cookie)
	}
}

// The attacker plants the id of their own session, and the victim logs in with it.
func TestAttackFixationWithLiveID(t *testing.T) {
	t.Parallel()
	for name, login := range map[string][]string{
		"regenerate": {"control", "regenerate", "update", `{"user":"victim"}`},
		"capture":    {"X-Login", "victim"},
		"both":       {"X-Login", "victim", "control", "regenerate"},
		"destroy":    {"control", "destroy", "update", `{"user":"victim"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attacker := rawSite.browser(t)
			attacker.change("update", `{"cart":1}`).issues()
			planted := attacker.cookies()
			// Requests that run when the victim logs in.
			slow := []*held{
				attacker.hold(), attacker.hold("update", `{"x":1}`), attacker.hold("control", "regenerate"), attacker.hold("X-Theme", "dark"),
				attacker.hold("X-Login", "attacker"),
			}

			victim := rawSite.browser(t).holding(planted)
			c := victim.change(login...).issues()
			if "caddy_session="+c.Value == planted {
				t.Fatal("the victim has the planted id")
			}
			now := victim.at(victim.base)
			now.header = http.Header{"Cookie": {"caddy_session=" + c.Value}}
			if got := now.look().given("X-Session-Data"); !strings.Contains(got, `"user":"victim"`) {
				t.Errorf("the victim's session: %s", got)
			}

			never := func(r *reply) {
				t.Helper()
				if got := r.given("X-Session-Data"); strings.Contains(got, "victim") {
					t.Errorf("the attacker sees %s", got)
				}
				// The planted session is gone. A visitor without a session may begin one.
				if c := r.cookie(); c != nil && c.MaxAge >= 0 {
					if got := attacker.holding("caddy_session=" + c.Value).look().given("X-Session-Data"); strings.Contains(got, "victim") || strings.Contains(got, "cart") {
						t.Errorf("the attacker gets a cookie and sees %s", got)
					}
				}
			}
			for _, s := range slow {
				never(s.release())
			}
			for range 3 {
				never(attacker.holding(planted).look())
			}
			never(attacker.holding(planted).change("update", `{"y":1}`))
			never(attacker.holding(planted).change("control", "regenerate"))
			never(attacker.holding(planted).change("X-Theme", "light"))
			never(attacker.holding(planted).change("control", "permanent=?0"))
			never(attacker.holding(planted).look())
		})
	}
}

// A request that runs longer than its id is valid continues with the successor and does not revive
// the old id.
func TestAttackReviveWithSlowRequest(t *testing.T) {
	t.Parallel()
	b := grace.browser(t)
	b.change("update", `{"a":1}`)
	old := b.cookies()
	slow, end := b.hold("update", `{"slow":1}`), b.hold("control", "destroy")
	b.change("control", "regenerate", "update", `{"login":1}`).issues()
	eventually(t, "the old id is unknown", func() bool { return !b.holding(old).look().info().exists })
	slow.release().keeps()
	b.holding(old).look().holds("{}").keeps()
	b.look().holds(`{"a":1,"login":1,"slow":1}`)
	end.release()
	b.look().holds("{}")
	b.holding(old).look().holds("{}").keeps()
}

// A logout is final: neither requests that ran during it nor later ones bring the session back.
func TestAttackReviveAfterLogout(t *testing.T) {
	t.Parallel()
	b := rawSite.browser(t)
	b.change("update", `{"user":"zoe"}`, "flash", `"x"`)
	old := b.cookies()
	var slow []*held
	for range 2 { // with the old id, and with the new one
		for _, pairs := range [][]string{
			{"update", `{"x":1}`}, {"control", "regenerate", "update", `{"x":1}`}, {"X-Login", "zoe"}, {"flash", `"y"`}, {"control", "permanent=?0"},
			{"control", "flash-seen"}, {"update", `[{"op":"replace","path":"","value":{"user":"zoe"}}]`},
		} {
			slow = append(slow, b.hold(pairs...))
		}
		if b.cookies() == old {
			b.change("control", "regenerate")
		}
	}
	cookies := []string{old, b.cookies()}
	b.change("control", "destroy").expires()
	for _, s := range slow {
		s.release().keeps().hides()
	}
	for _, cookie := range cookies {
		anonymous(b, cookie)
		b.holding(cookie).change("control", "regenerate").keeps()
		anonymous(b, cookie)
		if c := b.holding(cookie).change("update", `{"new":1}`).issues(); strings.Contains(cookie, c.Value) {
			t.Error("the id of the ended session is reused")
		}
		anonymous(b, cookie)
	}
}
