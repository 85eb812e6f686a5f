package flask_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// pair is two sides that see the session of one visitor. Without the proxy, both are the app.
type pair struct {
	a, b side
	v    *visitor
	url  string
}

// check is one check of the matrix. It runs with the sides both ways round.
type check struct {
	name string
	run  func(t *testing.T, r row, open func(t *testing.T, cookie string) pair)
}

var checks = []check{
	{"log in", checkLogin},
	{"change", checkChange},
	{"flash", checkFlash},
	{"pop", checkPop},
	{"clear", checkClear},
	{"permanent", checkPermanent},
	{"log out", checkLogout},
}

const name = `Žofie <b> "O'Hara" 🙂`

func checkLogin(t *testing.T, _ row, open func(*testing.T, string) pair) {
	p := open(t, "")
	expect(t, p.b.data(), nil)
	p.a.login(name)
	expect(t, p.b.data(), map[string]any{"user": name})
	p.b.set(map[string]any{"seen": true})
	expect(t, p.a.data(), map[string]any{"user": name, "seen": true})
	again := open(t, p.v.cookie(p.url))
	expect(t, again.b.data(), map[string]any{"user": name, "seen": true})
	stranger := open(t, "")
	expect(t, stranger.a.data(), nil)
	expect(t, stranger.b.data(), nil)
}

func checkChange(t *testing.T, _ row, open func(*testing.T, string) pair) {
	p := open(t, "")
	cart := map[string]any{"sku": "1", "n": 2.0, "tags": []any{"a", nil, false, 1.5}}
	p.a.set(map[string]any{"cart": cart, "kept": "é"})
	p.b.set(map[string]any{"cart": map[string]any{"sku": "2"}, "from": "b"})
	cart["sku"] = "2"
	if _, replaces := p.b.(flaskSide); replaces { // a merge patch merges dicts
		cart = map[string]any{"sku": "2"}
	}
	want := map[string]any{"cart": cart, "kept": "é", "from": "b"}
	expect(t, p.a.data(), want)
	expect(t, p.b.data(), want)
	for i := range 5 {
		p.a.set(map[string]any{"count": float64(i)})
		expect(t, p.b.data()["count"], float64(i))
		p.b.set(map[string]any{"count": float64(-i)})
		expect(t, p.a.data()["count"], float64(-i))
	}
}

func checkFlash(t *testing.T, _ row, open func(*testing.T, string) pair) {
	p := open(t, "")
	p.a.flash("info", "one "+name)
	p.b.flash("error", "two")
	p.a.flash("info", "three")
	want := [][2]string{{"info", "one " + name}, {"error", "two"}, {"info", "three"}}
	expect(t, p.a.data(), nil)
	expect(t, p.b.data(), nil)
	expect(t, p.b.flashes(), want)
	expect(t, p.a.flashes(), [][2]string(nil))
	p.b.flash("message", "four")
	p.a.set(map[string]any{"k": "v"})
	expect(t, p.a.flashes(), [][2]string{{"message", "four"}})
	expect(t, p.b.flashes(), [][2]string(nil))
	expect(t, p.b.data(), map[string]any{"k": "v"})
}

func checkPop(t *testing.T, _ row, open func(*testing.T, string) pair) {
	p := open(t, "")
	p.a.set(map[string]any{"x": 1.0, "y": 2.0, "z": 3.0})
	p.b.pop("y")
	expect(t, p.a.data(), map[string]any{"x": 1.0, "z": 3.0})
	p.a.pop("z")
	expect(t, p.b.data(), map[string]any{"x": 1.0})
	p.b.pop("x")
	expect(t, p.a.data(), nil)
	expect(t, p.b.data(), nil)
	p.a.set(map[string]any{"again": true})
	expect(t, p.b.data(), map[string]any{"again": true})
}

func checkClear(t *testing.T, _ row, open func(*testing.T, string) pair) {
	p := open(t, "")
	p.a.set(map[string]any{"x": 1.0})
	p.a.flash("info", "gone")
	p.b.set(map[string]any{"y": 1.0})
	p.a.clear()
	expect(t, p.b.data(), nil)
	expect(t, p.a.data(), nil)
	p.b.set(map[string]any{"y": 2.0})
	expect(t, p.a.data(), map[string]any{"y": 2.0})
}

func checkPermanent(t *testing.T, r row, open func(*testing.T, string) pair) {
	p := open(t, "")
	p.a.set(map[string]any{"x": 1.0})
	for _, on := range []bool{true, false, true} {
		if !on && r.permanentOnly() {
			continue
		}
		p.a.permanent(on)
		if p.v.set == nil || (p.v.set.Expires.IsZero() && p.v.set.MaxAge <= 0) == on {
			t.Errorf("after permanent %v the cookie is %v", on, p.v.set)
		}
		for _, s := range []side{p.a, p.b} {
			if app, ok := s.(flaskSide); ok {
				if state := app.get("/state"); !strings.Contains(state, fmt.Sprintf(`"permanent":%v`, on)) {
					t.Errorf("after permanent %v: %s", on, state)
				}
			}
		}
		p.b.set(map[string]any{"x": 2.0})
		expect(t, p.a.data(), map[string]any{"x": 2.0})
	}
}

func checkLogout(t *testing.T, r row, open func(*testing.T, string) pair) {
	p := open(t, "")
	p.a.login("Ada")
	p.b.set(map[string]any{"y": 1.0})
	stolen := p.v.cookie(p.url)
	p.b.logout()
	if left := p.v.cookie(p.url); left != "" {
		t.Errorf("the logout left a cookie: %s", left)
	}
	expect(t, p.a.data(), nil)
	expect(t, p.b.data(), nil)
	if r.backend != cookie { // a logout of a session in a cookie cannot be undone
		thief := open(t, stolen)
		expect(t, thief.a.data(), nil)
		expect(t, thief.b.data(), nil)
	}
	p.b.login("Grace")
	expect(t, p.a.data(), map[string]any{"user": "Grace"})
}

// checkRounds has the app fill its session with values of every type and the other side change
// another key; then Python compares all values and types.
func checkRounds(t *testing.T, app flaskSide, other side, rounds int) {
	for i := range rounds {
		seed := strconv.Itoa(i)
		app.post("/random", "seed", seed)
		other.set(map[string]any{"other": float64(i)})
		if status, answer := app.do(http.MethodGet, app.base+"/compare?seed="+seed, nil); status != http.StatusOK {
			t.Fatalf("round %d: %d: %s", i, status, answer)
		}
		expect(t, decode[map[string]any](t, app.get("/data", "key", "other")), map[string]any{"other": float64(i)})
	}
}

// checkParallel changes one session with many concurrent requests through the proxy.
func checkParallel(t *testing.T, app flaskSide, other headerSide) {
	app.set(map[string]any{"n": 0})
	const n = 20
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			one := fmt.Sprintf(`[{"op":"increment","path":"/n","value":1},{"op":"add","path":"/k%d","value":true}]`, i)
			resp, err := other.client.Get(other.base + "/" + query([]string{"X-Session-Update", one}))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s", resp.Status)
			}
		})
	}
	all.Wait()
	data := app.data()
	if data["n"] != float64(n) || len(data) != n+1 {
		t.Errorf("after %d parallel changes: %v", n, data)
	}
}

func expect(t *testing.T, got, want any) {
	t.Helper()
	if g := reflect.ValueOf(got); !g.IsValid() || (g.Kind() == reflect.Map || g.Kind() == reflect.Slice) && g.Len() == 0 {
		got = nil
	}
	if w := reflect.ValueOf(want); !w.IsValid() || w.Kind() == reflect.Slice && w.Len() == 0 {
		want = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
