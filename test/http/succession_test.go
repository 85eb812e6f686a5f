package http_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// proxies are two Caddys that share their sessions in one Redis.
type proxies [2]struct{ addr, base string }

func twoProxies(t *testing.T) (p proxies) {
	t.Helper()
	server := redistest.Start(t, redistest.Options{})
	for i := range p {
		c := start(t, globals()+fmt.Sprintf(`
http://$ADDR {
	session {
		store redis %s
		secret $SECRET $OLDSECRET
		vault auth note
		regenerate_on user vault
	}
	reverse_proxy $BACKEND
}`, server.Addr()))
		p[i].addr, p[i].base = c.Addr, c.URL
	}
	return p
}

// visitor is one browser: both proxies share its jar, as if they had one host name.
type visitor [2]*browser

func (p proxies) visitor(t *testing.T) (v visitor) {
	t.Helper()
	for i, c := range p {
		v[i] = newBrowser(t, c.addr, c.base)
	}
	v[1].client.Jar = v[0].client.Jar
	return v
}

func (v visitor) holding(cookie string) visitor {
	return visitor{v[0].holding(cookie), v[1].holding(cookie)}
}

// plant puts a cookie into the browser's jar.
func (v visitor) plant(cookie *http.Cookie) {
	u, _ := url.Parse(v[0].base + cookie.Path)
	v[0].client.Jar.SetCookies(u, []*http.Cookie{cookie})
}

// is fails the test unless the app, behind either proxy, sees this user, or no user if it is "".
func (v visitor) is(user string) {
	v[0].t.Helper()
	for _, b := range v {
		isUser(b.look(), user)
	}
}

func isUser(r *reply, user string) {
	r.t.Helper()
	told := r.given("X-Session-Data") + " " + r.given("Cookie")
	if anyone := strings.Contains(told, "user") || strings.Contains(told, "auth="); anyone != (user != "") || !strings.Contains(told, user) {
		r.t.Fatalf("the app sees %q, want the user %q", told, user)
	}
}

// logins are the headers of an app's response to a login.
var logins = map[string]func(user string) []string{
	"asked for": func(user string) []string {
		return []string{"control", "regenerate", "update", `{"user":"` + user + `"}`}
	},
	"by a field":   func(user string) []string { return []string{"update", `{"user":"` + user + `"}`} },
	"by the app's": func(user string) []string { return []string{"Set-Cookie", "auth=" + user + "; Path=/"} },
	"by both kinds": func(user string) []string {
		return []string{"update", `{"user":"` + user + `"}`, "Set-Cookie", "auth=" + user}
	},
}

// TestSuccession runs attacks and faults against the change of ids. C1 etc. are in
// sessionstore/counterexamples_test.go.
func TestSuccession(t *testing.T) {
	t.Parallel()
	p := twoProxies(t)
	for name, login := range logins {
		t.Run("C1 takeover "+name, func(t *testing.T) { p.takeover(t, login, false) })
		t.Run("C1 takeover and use "+name, func(t *testing.T) { p.takeover(t, login, true) })
		t.Run("C2 double click "+name, func(t *testing.T) { p.doubleClick(t, login) })
		t.Run("C10 longer path "+name, func(t *testing.T) { p.longerPath(t, login) })
	}
	for name, pairs := range map[string][]string{
		"permanent": {"control", "permanent"}, "not permanent": {"control", "permanent=?0"}, "idle timeout": {"control", "idle-timeout=600"},
		"key rotation": nil, "a change": {"update", `{"b":1}`}, "a message": {"flash", `"x"`},
	} {
		t.Run("C9 cookie of the old id "+name, func(t *testing.T) { p.oldCookie(t, pairs) })
	}
	t.Run("I4 a thousand requests by the old id", p.thousandRequests)
	t.Run("logout by emptying", p.emptying)
	for name, c := range map[string]struct{ login, logout, slow []string }{
		"of the app's": {
			[]string{"Set-Cookie", "auth=zoe"}, []string{"Set-Cookie", "auth=nobody"},
			[]string{"Set-Cookie", "note=1; HttpOnly"},
		},
		"of the app's, which sets its cookie in every answer": {
			[]string{"Set-Cookie", "auth=zoe"}, []string{"Set-Cookie", "auth=nobody"},
			[]string{"Set-Cookie", "auth=zoe", "Set-Cookie", "note=1; HttpOnly"},
		},
		"by a field": {
			[]string{"update", `{"user":"zoe"}`}, []string{"update", `{"user":null,"left":1}`},
			[]string{"control", "regenerate", "update", `{"slow":1}`},
		},
		"by destroy": {
			[]string{"update", `{"user":"zoe"}`}, []string{"control", "destroy", "update", `{"left":1}`},
			[]string{"control", "regenerate", "update", `{"slow":1}`},
		},
		"by emptying": {
			[]string{"update", `{"user":"zoe"}`}, []string{"update", `{"user":null}`},
			[]string{"control", "regenerate", "update", `{"slow":1}`},
		},
	} {
		t.Run("C12 logout beside a slow response "+name, func(t *testing.T) { p.logoutBesideASlowResponse(t, c.login, c.logout, c.slow) })
	}
}

// takeover: the attacker has planted an id and logs in with it while the victim's login is running.
func (p proxies) takeover(t *testing.T, login func(user string) []string, used bool) {
	attacker, victim := p.visitor(t), p.visitor(t)
	planted := attacker[0].change("update", `{"cart":1}`).issues()
	victim.plant(&http.Cookie{Name: planted.Name, Value: planted.Value, Path: "/"})
	under := victim[1].hold(login("victim")...)
	for range 3 {
		attacker.plant(planted)
		attacker[0].change(login("attacker")...)
		if used {
			attacker.is("attacker")
		}
	}
	c := under.release().cookie()
	attacker.is("attacker")
	if used {
		// The planted session ends, this login fails, and the next one succeeds.
		if c != nil {
			t.Fatalf("a login in an ended session got a cookie")
		}
		victim.is("")
		victim[1].change(login("victim")...)
	} else if c == nil {
		t.Fatal("the victim's login got no cookie")
	}
	victim.is("victim")
	attacker.is("attacker")
	attacker.holding("caddy_session=" + planted.Value).is("")
}

// doubleClick: two logins run at once, and the browser keeps the cookie of the last response.
func (p proxies) doubleClick(t *testing.T, login func(user string) []string) {
	for last := range 2 {
		v := p.visitor(t)
		old := v[0].change("update", `{"token":1}`).issues()
		clicks := [2]*held{v[0].hold(login("zoe")...), v[1].hold(login("zoe")...)}
		other := clicks[1-last].release().issues()
		kept := clicks[last].release().issues()
		if v[0].cookies() != "caddy_session="+kept.Value || other.Value == kept.Value || other.Value == old.Value {
			t.Fatal("each login has its own id, and the browser keeps the last")
		}
		v.is("zoe")
		v.holding("caddy_session=" + old.Value).is("")
		v.holding("caddy_session=" + other.Value).is("zoe")
	}
}

// longerPath: a cookie with a longer path comes first, so the planted one always precedes ours.
func (p proxies) longerPath(t *testing.T, login func(user string) []string) {
	attacker, victim := p.visitor(t), p.visitor(t)
	planted := attacker[0].change("update", `{"cart":1}`).issues()
	victim.plant(&http.Cookie{Name: planted.Name, Value: planted.Value, Path: "/app"})
	app := func(b *browser, pairs ...string) *reply {
		t.Helper()
		return b.get(ask("/app/", pairs...)).want(http.StatusOK)
	}
	app(victim[0]).holds(`{"cart":1}`)
	c := app(victim[0], login("victim")...).issues()
	for i := range 4 {
		r := app(victim[i%2])
		isUser(r, "victim")
		r.keeps()
		attacker.is("")
	}
	if sent := victim[0].client.Jar.Cookies(app(victim[0]).Request.URL); len(sent) != 2 || sent[0].Value != planted.Value || sent[1].Value != c.Value {
		t.Fatal("the browser does not send the planted cookie first")
	}
	victim.is("victim")
	app(victim[1], "control", "destroy").expires()
	isUser(app(victim[0]), "")
	victim.holding("caddy_session=" + c.Value).is("")
}

// oldCookie: no response to the old id has a cookie, as it could arrive after the new id's. The
// request asks for a cookie, and a former key signed its own.
func (p proxies) oldCookie(t *testing.T, pairs []string) {
	v := p.visitor(t)
	c := v[0].change("update", `{"a":1}`).issues()
	id, _, _ := strings.Cut(c.Value, ".")
	c.Value = sign(t, oldSecret, "caddy-session", id)
	v.plant(c)
	old := v.holding(v[0].cookies())
	if renewed := old[1].look().issues(); !strings.HasPrefix(renewed.Value, id) {
		t.Fatal("without a successor, the cookie is not signed again")
	}

	// The response to the login is slow: all other responses arrive before it.
	under := [2]*held{v[0].hold(pairs...), v[1].hold(pairs...)}
	login := old[0].change("control", "regenerate", "update", `{"user":"zoe"}`).issues()
	later := [2]*held{v[0].hold(pairs...), v[1].hold(pairs...)}
	v.plant(login)
	for _, b := range old {
		b.change(pairs...).keeps()
	}
	under[0].release().keeps()
	later[0].release().keeps()
	v.is("zoe")
	under[1].release().keeps()
	later[1].release().keeps()
	if v[0].cookies() != "caddy_session="+login.Value {
		t.Fatal("the browser has another cookie")
	}
	v.is("zoe")
	old.is("")
}

// thousandRequests use the old id with both proxies while the user logs in and uses the new id.
// Every request that is sent after the first response to the new id must be anonymous.
func (p proxies) thousandRequests(t *testing.T) {
	const workers, enough = 20, 1000
	v := p.visitor(t)
	v[0].change("update", `{"cart":1}`)
	old := v.holding(v[0].cookies())
	for _, b := range old {
		b.client.Transport.(*http.Transport).MaxIdleConnsPerHost = workers
	}
	var used atomic.Bool
	var before, after atomic.Int64
	var all sync.WaitGroup
	defer all.Wait()
	for n := range workers {
		b := old[n%2]
		all.Go(func() {
			for after.Load() < enough && !t.Failed() {
				over := used.Load()
				var told request
				r := b.attempt(b.request(http.MethodGet, "/", nil))
				if r == nil || json.Unmarshal(r.body, &told) != nil {
					t.Error("a request with the old id fails")
					return
				}
				data := told.Header.Get("X-Session-Data")
				if over {
					after.Add(1)
				} else {
					before.Add(1)
				}
				if data != "{}" && (over || data != `{"cart":1}`) {
					t.Errorf("the old id sees %s; new id used: %t", data, over)
				}
			}
		})
	}
	v[0].change("control", "regenerate", "update", `{"user":"zoe"}`).issues()
	isUser(v[1].look(), "zoe")
	used.Store(true)
	all.Wait()
	t.Logf("%d requests before the new id was used, %d after", before.Load(), after.Load())
	v.is("zoe")
}

// emptying: an app logs out by deleting all fields while the session gets a new id, and the
// response with the new id is lost.
func (p proxies) emptying(t *testing.T) {
	v := p.visitor(t)
	v[0].change("update", `{"user":"zoe"}`)
	logout := v[1].hold("update", `[{"op":"replace","path":"","value":{}}]`)
	lost := v.holding(v[0].cookies())[0].change("control", "regenerate", "update", `{"role":"admin"}`).issues()
	v.is("zoe")
	logout.release().keeps()
	v.is("")
	v.holding("caddy_session=" + lost.Value).is("")
}

// logoutBesideASlowResponse: the slow response asks for a new id, and arrives after the logout's
// response, before the browser has used the id from there.
func (p proxies) logoutBesideASlowResponse(t *testing.T, login, logout, slow []string) {
	v := p.visitor(t)
	v[0].change(login...)
	v.is("zoe")
	held := v[1].hold(slow...)
	v[0].change(logout...)
	held.release()
	v.is("")
}
