package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// refuses fails the test unless the change is refused, nothing of the backend's response is
// forwarded, and the session is unchanged.
func (b *browser) refuses(status int, pairs ...string) {
	b.t.Helper()
	before := b.look().given("X-Session-Data")
	r := b.ask(append(pairs, "Etag", `"x"`, "X-Backend", "1")...).want(status).hides().keeps()
	for _, name := range []string{"Etag", "X-Backend", "Content-Type", "Via", "Date-Backend"} {
		if r.Header[name] != nil {
			b.t.Errorf("a refused response has the backend's %s", name)
		}
	}
	if len(r.body) > 0 {
		b.t.Errorf("a refused response has a body: %.100s", r.body)
	}
	b.look().holds(before)
}

func repeat(n int, pairs ...string) (all []string) {
	for range n {
		all = append(all, pairs...)
	}
	return all
}

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

func operations(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"op":"increment","path":"/n","value":1},`, n), ",") + "]"
}

// text returns an object with ASCII JSON of this length.
func text(size int) string { return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}` }

func TestLimits(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("9", 32)
	for name, test := range map[string]struct{ good, bad []string }{
		"header lines": {
			repeat(64, "update", `[{"op":"increment","path":"/n","value":1}]`),
			repeat(65, "update", `[{"op":"increment","path":"/n","value":1}]`),
		},
		"header lines together": {
			append(append(repeat(62, "update", `{"n":1}`), "flash", `"x"`), "control", "permanent"),
			append(append(repeat(62, "update", `{"n":1}`), "flash", `"x"`, "flash", `"y"`), "control", "permanent"),
		},
		"operations": {[]string{"update", operations(256)}, []string{"update", operations(257)}},
		"max_size":   {[]string{"update", text(4000)}, []string{"update", text(4001)}},
		"max_size counts ASCII": {
			[]string{"update", `{"a":"` + strings.Repeat("é", (4000-8)/6) + `"}`},
			[]string{"update", `{"a":"` + strings.Repeat("é", (4000-8)/6+1) + `"}`},
		},
		"depth": {[]string{"update", nested(32)}, []string{"update", nested(33)}},
		"depth of paths": {
			[]string{"update", nested(31) + `,[{"op":"add","path":"` + strings.Repeat("/a", 31) + `","value":{}}]`},
			[]string{"update", nested(31) + `,[{"op":"add","path":"` + strings.Repeat("/a", 31) + `","value":{"b":[]}}]`},
		},
		"digits":         {[]string{"update", `[{"op":"increment","path":"/n","value":` + digits + `}]`}, []string{"update", `[{"op":"increment","path":"/n","value":` + digits + `0}]`}},
		"exponent":       {[]string{"update", `[{"op":"increment","path":"/n","value":1e32}]`}, []string{"update", `[{"op":"increment","path":"/n","value":1e33}]`}},
		"small exponent": {[]string{"update", `[{"op":"increment","path":"/n","value":1e-32}]`}, []string{"update", `[{"op":"increment","path":"/n","value":1e-33}]`}},
		"in an intermediate step": {
			[]string{"update", fmt.Sprintf(`{"a":"%s"},[{"op":"copy","from":"/a","path":"/b"},{"op":"remove","path":"/a"}]`, strings.Repeat("x", 3900))},
			[]string{"update", fmt.Sprintf(`{"a":"%s"},[{"op":"copy","from":"/a","path":"/b"},{"op":"copy","from":"/a","path":"/c"},{"op":"remove","path":"/a"},{"op":"remove","path":"/b"}]`, strings.Repeat("x", 3900))},
		},
		"one flash":    {[]string{"flash", `"` + strings.Repeat("x", 4000-len(`[["message",""]]`)) + `"`}, []string{"flash", `"` + strings.Repeat("x", 4001-len(`[["message",""]]`)) + `"`}},
		"idle timeout": {[]string{"update", `{"a":1}`, "control", "idle-timeout=1"}, []string{"update", `{"a":1}`, "control", "idle-timeout=0"}},
		"long idle timeout": {
			[]string{"update", `{"a":1}`, "control", "idle-timeout=999999999999999"},
			[]string{"update", `{"a":1}`, "control", "idle-timeout=1000000000000000"}, // exceeds RFC 9651
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain.browser(t).change(test.good...).hides().issues()
			plain.browser(t).refuses(http.StatusBadGateway, test.bad...)
			b := plain.browser(t)
			b.change("update", `{"before":1}`)
			b.refuses(http.StatusBadGateway, test.bad...)
		})
	}
}

// Invalid changes: nothing changes, whichever header is invalid.
func TestInvalidChanges(t *testing.T) {
	t.Parallel()
	bad := [][]string{
		{"update", `{`}, {"update", ``}, {"update", ` `}, {"update", `1`}, {"update", `"x"`}, {"update", `null`}, {"update", `true`},
		{"update", `{"a":1} {"b":2}`}, {"update", `{"a":1},`}, {"update", `,{"a":1}`}, {"update", `{"a":1},,{"b":2}`},
		{"update", `{"a":1,"a":2}`}, {"update", `{"a":1,"\u0061":2}`}, {"update", `{"a":01}`}, {"update", `{'a':1}`}, {"update", `{"a":NaN}`},
		{"update", `{"a":"\ud800"}`}, {"update", `{"\udc00":1}`}, {"update", `[{"op":"add","path":"/\ud800","value":1}]`}, {"update", "\ufeff{}"}, {"update", `{"a":1}//`},
		{"update", `[1]`}, {"update", `[{}]`}, {"update", `[{"op":"add","path":"/a"}]`}, {"update", `[{"op":"add","path":"a","value":1}]`},
		{"update", `[{"op":"nothing","path":"/a","value":1}]`}, {"update", `[{"op":"Add","path":"/a","value":1}]`},
		{"update", `[{"op":"remove","path":"/a"}]`}, {"update", `[{"op":"replace","path":"/a","value":1}]`},
		{"update", `[{"op":"test","path":"/before","value":2}]`}, {"update", `[{"op":"test","path":"/none","value":null}]`},
		{"update", `[{"op":"replace","path":"","value":[]}]`}, {"update", `[{"op":"replace","path":"","value":null}]`}, {"update", `[{"op":"remove","path":""}]`},
		{"update", `[{"op":"add","path":"/x","value":[]},{"op":"add","path":"/x/-1","value":1}]`},
		{"update", `[{"op":"add","path":"/x","value":[]},{"op":"add","path":"/x/1","value":1}]`},
		{"update", `[{"op":"add","path":"/x","value":[1]},{"op":"remove","path":"/x/00"}]`},
		{"update", `[{"op":"add","path":"/~2","value":1}]`}, {"update", `[{"op":"move","from":"","path":"/a"}]`},
		{"update", `[{"op":"add","path":"/s","value":"1"},{"op":"increment","path":"/s","value":1}]`},
		{"update", `[{"op":"increment","path":"/n","value":"1"}]`}, {"update", `[{"op":"increment","path":"/n"}]`},
		{"update", `[{"op":"increment","path":"/no/n","value":1}]`},
		{"update", `{"a":1}`, "update", `[{"op":"test","path":"/a","value":2}]`},
		{"flash", `1`}, {"flash", `{}`}, {"flash", `["a"]`}, {"flash", `["a","b","c"]`}, {"flash", `["a",1]`}, {"flash", `[1,"a"]`}, {"flash", `x`}, {"flash", ``},
		{"flash", `[["info","x"]]`}, {"flash", `"a" "b"`}, {"flash", `"a",`}, {"flash", `"\ud800"`},
		{"control", "nonsense"}, {"control", "regenerate=1"}, {"control", "regenerate=()"}, {"control", `destroy="yes"`}, {"control", "destroy=true"},
		{"control", "flash-seen=1"}, {"control", "flash-seen=(1)"}, {"control", `flash-seen="info"`}, {"control", "flash-seen=(info)"},
		{"control", "idle-timeout"}, {"control", "idle-timeout=?1"}, {"control", "idle-timeout=-1"}, {"control", "idle-timeout=1.5"}, {"control", "idle-timeout=(1)"},
		{"control", "permanent=1"}, {"control", "Regenerate"}, {"control", "regenerate,"}, {"control", "regenerate;"}, {"control", "regenerate permanent"},
		{"control", "destroy", "update", "{"}, {"control", "destroy", "flash", "{}"}, {"control", "destroy, foo"},
		{"update", `{"a":1}`, "flash", `7`}, {"update", `{"a":1}`, "control", "foo"}, {"flash", `"x"`, "control", "foo"},
	}
	for _, pairs := range bad {
		t.Run(fmt.Sprintf("%.60q", pairs), func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			b.refuses(http.StatusBadGateway, pairs...)
			b.change("update", `{"before":1}`)
			b.refuses(http.StatusBadGateway, pairs...)
		})
	}
}

var (
	roomy = newSite("roomy", sized(40000))
	tight = newSite("tight", sized(100))
)

func sized(maxSize int) string {
	return fmt.Sprintf(`
	session {
		store memory
		secret $SECRET
		scope sized
		max_size %d
	}
	reverse_proxy $BACKEND`, maxSize)
}

// The option was lowered after the session had grown.
func TestLargerThanMaxSize(t *testing.T) {
	t.Parallel()
	big := roomy.browser(t)
	big.change("update", text(32<<10))
	r := big.holding(big.cookies()).at("http://" + tight.host)
	r.look().holds(text(32 << 10))
	r.refuses(http.StatusBadGateway, "update", `{"b":1}`)
	r.change("update", text(30000)).keeps() // it may shrink
	r.look().holds(text(30000))
	r.change("flash", `"x"`)
	r.change("update", `{"a":1}`)
	r.look().holds(`{"a":1}`)

	big.change("update", text(32<<10+1))
	big.look().holds(text(32<<10 + 1))
	if got := r.get("/").StatusCode; got != http.StatusInternalServerError {
		t.Errorf("forwarding 32 KiB and a byte: status %d", got)
	}
}
