package operate

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestOperatorMovesToAnotherStore goes through the steps of the documentation with each pair of
// stores, by reloads of one process.
func TestOperatorMovesToAnotherStore(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, redistest.Options{}).Addr()
	sqlite := filepath.Join(t.TempDir(), "sessions.sqlite")
	for name, pair := range map[string][2]string{
		"memory to bolt":         {"memory", "bolt"},
		"bolt to redis":          {"bolt", "redis " + redis},
		"file to sql":            {"file", "sql sqlite " + sqlite + " {\ncreate_table on\n}"},
		"redis to a near cache":  {"redis " + redis + " {\nkey_prefix a:\n}", "redis " + redis + " {\nkey_prefix b:\nnear_cache\n}"},
		"memory to memory other": {"memory", "memory other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testMove(t, pair[0], pair[1])
		})
	}
}

func testMove(t *testing.T, from, to string) {
	backend := site(t, "STORE")
	config := func(store string) string { return strings.Replace(backend, "STORE", "store "+store, 1) }
	c := harness.Start(t, config(from))
	reload := func(store string) {
		t.Helper()
		if err := c.Reload(config(store)); err != nil {
			t.Fatal(err)
		}
	}
	zoe := []*visitor{visit(t, c.URL), visit(t, c.URL), visit(t, c.URL)}
	guest, late := visit(t, c.URL), visit(t, c.URL)
	refs := make(map[*visitor]string)
	for _, v := range zoe {
		refs[v] = v.login("zoë")
	}
	guest.ask("X-Session-Update", `{"visits":1}`)
	refs[guest] = guest.ref()
	was := show(t, c, refs[guest])

	reload(fmt.Sprintf("moving {\nfrom %s\nto %s\nhold\n}", from, to))
	refs[late] = late.login("late")
	old, other := sides(t, c)
	if n, m := len(listAll(t, c, old, 2)), len(listAll(t, c, other, 2)); n != 5 || m != 0 {
		t.Errorf("with hold, the old store has %d sessions and the new one %d", n, m)
	}
	reload(fmt.Sprintf("moving {\nfrom %s\nto %s\n}", from, to))
	counts := func(left, moved int) {
		t.Helper()
		says(t, c, []string{"count", "--store", old}, fmt.Sprintln(left))
		says(t, c, []string{"count", "--store", other}, fmt.Sprintln(moved))
		says(t, c, []string{"count"}, fmt.Sprintln(left+moved))
		if all := listAll(t, c, "", 2); len(all) != len(refsOf(all)) {
			t.Errorf("a session is listed twice: %v", all)
		}
	}
	counts(5, 0)
	if ref := zoe[0].ref(); ref != refs[zoe[0]] {
		t.Errorf("zoë was logged out: %q", ref)
	}
	counts(4, 1)
	var page admin.Page
	api(t, c, http.MethodPost, "/session/find", `{"user":"zoë"}`, &page)
	if got := refsOf(page.Sessions); len(got) != 3 || !slices.Contains(got, refs[zoe[2]]) {
		t.Errorf("zoë's sessions: %v", got)
	}
	if now := show(t, c, refs[guest]); !now.Created.Equal(was.Created) || now.Expires.Sub(was.Expires).Abs() > 5*time.Second || now.Size != was.Size {
		t.Errorf("moved as %+v, was %+v", now, was)
	}
	// It ends wherever it is, and by the name of both stores only.
	for _, store := range []string{old, other} {
		status, text := api(t, c, http.MethodDelete, "/session/sessions/"+refs[zoe[1]]+"?store="+store, "", nil)
		if status != http.StatusBadRequest || !strings.Contains(text, "name both of them: moving-") {
			t.Errorf("ending in %s: %d, %s", store, status, text)
		}
	}
	says(t, c, []string{"end", refs[zoe[1]]}, "1\n")
	if zoe[1].ref() != "" {
		t.Error("an ended session is there")
	}
	says(t, c, []string{"stores"}, "PART OF", old, other, "moving-", "from "+strings.Fields(from)[0])
	for _, s := range listAll(t, c, old, 100) { // as the documentation says
		says(t, c, []string{"show", s.Ref}, s.Ref)
	}
	counts(0, 4)

	reload(to)
	for v, ref := range refs {
		if v != zoe[1] && v.ref() != ref {
			t.Errorf("in the new store alone, a session is %q, was %q", v.ref(), ref)
		}
	}
	says(t, c, []string{"end", "--user", "zoë"}, "2\n")
	if zoe[0].ref() != "" || zoe[2].ref() != "" || late.ref() == "" {
		t.Error("the wrong sessions have ended")
	}
}

// TestCommandsNameTheStoreThatIsAway has a Caddy that answers, and a store that does not.
func TestCommandsNameTheStoreThatIsAway(t *testing.T) {
	t.Parallel()
	nobody := harness.FreeAddr(t)
	c := harness.Start(t, site(t, "store moving {\nfrom memory\nto redis "+nobody+"\n}"))
	refuses(t, c, []string{"count", "--address", c.Admin}, "the new store: session store unavailable: redis: dial tcp "+nobody)
	says(t, c, []string{"count", "--store", "memory"}, "0\n")
	says(t, c, []string{"stores"}, "moving-")
}

func show(t *testing.T, c *harness.Caddy, ref string) (s admin.Session) {
	t.Helper()
	if status, text := api(t, c, http.MethodGet, "/session/sessions/"+ref, "", &s); status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	return s
}

// sides returns the names of the old store and of the new one.
func sides(t *testing.T, c *harness.Caddy) (from, to string) {
	t.Helper()
	var open struct{ Stores []admin.Store }
	api(t, c, http.MethodGet, "/session/stores", "", &open)
	var whole string
	for _, s := range open.Stores {
		if s.Moving == "" {
			whole = s.Place
		}
	}
	for _, s := range open.Stores {
		place := strings.TrimSpace(s.Kind + " " + s.Place)
		switch {
		case s.Moving == "":
		case strings.HasPrefix(whole, "from "+place+" to "):
			from = s.Name
		case strings.HasSuffix(whole, " to "+place):
			to = s.Name
		}
	}
	if from == "" || to == "" {
		t.Fatalf("the stores are %+v", open.Stores)
	}
	return from, to
}
