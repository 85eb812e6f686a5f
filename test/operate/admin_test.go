package operate

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// listAll returns all sessions of the admin API's list, in pages of this size.
func listAll(t *testing.T, c *harness.Caddy, store string, limit int) (all []admin.Session) {
	t.Helper()
	for after := ""; ; {
		var page admin.Page
		path := fmt.Sprintf("/session/sessions?store=%s&limit=%d&after=%s", store, limit, url.QueryEscape(after))
		if status, text := api(t, c, http.MethodGet, path, "", &page); status != http.StatusOK {
			t.Fatalf("%d: %s", status, text)
		}
		all = append(all, page.Sessions...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

func refsOf(sessions []admin.Session) (refs []string) {
	for _, s := range sessions {
		refs = append(refs, s.Ref)
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// TestOperatorFindsAndEndsSessions does on each store what the admin API is for. No answer must
// have an id, and none but that for one session, when asked for it, the data.
func TestOperatorFindsAndEndsSessions(t *testing.T) {
	t.Parallel()
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, site(t, store))
			zoe := []*visitor{visit(t, c.URL), visit(t, c.URL), visit(t, c.URL)}
			bob, guest := visit(t, c.URL), visit(t, c.URL)
			visitors := append(slices.Clone(zoe), bob, guest)
			var texts strings.Builder
			ask := func(method, path, body string, v any) int {
				t.Helper()
				status, text := api(t, c, method, path, body, v)
				texts.WriteString(text)
				return status
			}

			if got := listAll(t, c, "", 2); len(got) > 0 {
				t.Errorf("%d sessions in an empty store", len(got))
			}
			var refs []string
			for _, v := range zoe {
				refs = append(refs, v.login("zoë"))
			}
			refs = append(refs, bob.login("bob"))
			guest.ask("X-Session-Update", `{"visits":1}`)
			refs = append(refs, guest.ref())
			slices.Sort(refs)

			var open struct{ Stores []admin.Store }
			ask(http.MethodGet, "/session/stores", "", &open)
			if len(open.Stores) != 1 || open.Stores[0].Kind != kind || !open.Stores[0].Lists || open.Stores[0].Dialect != "native" ||
				kind != "memory" && open.Stores[0].Place == "" {
				t.Errorf("stores: %+v", open.Stores)
			}
			for _, name := range []string{"", kind, open.Stores[0].Name} {
				for _, limit := range []int{1, 2, 1000} {
					if got := refsOf(listAll(t, c, name, limit)); !slices.Equal(got, refs) {
						t.Errorf("store %q, limit %d: %v, want %v", name, limit, got, refs)
					}
				}
			}

			var one admin.Session
			if status := ask(http.MethodGet, "/session/sessions/"+zoe[0].ref(), "", &one); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			now := time.Now()
			if one.User != "zoë" || !strings.HasPrefix(one.Scope, "name |127.0.0.1") || one.Size < 50 || one.Data != nil ||
				now.Sub(one.Created) > time.Minute || now.Sub(one.LastUsed) > time.Minute || one.Expires.Sub(now) < 23*time.Hour {
				t.Errorf("one session: %+v", one)
			}
			api(t, c, http.MethodGet, "/session/sessions/"+zoe[0].ref()+"?data=true", "", &one)
			if string(one.Data) != `{"secret":"not to be seen","user":"zo\u00eb"}` && string(one.Data) != `{"user":"zo\u00eb","secret":"not to be seen"}` {
				t.Errorf("data: %s", one.Data)
			}

			// One session ends, by its ref.
			if status := ask(http.MethodDelete, "/session/sessions/"+bob.ref(), "", nil); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			if bob.ref() != "" {
				t.Error("bob is still logged in")
			}

			// The sessions of a user: two end, and one goes on.
			var page admin.Page
			for _, body := range []string{`{"user":"zoë"}`, `{"user":"zoë","scope":"` + one.Scope + `"}`} {
				ask(http.MethodPost, "/session/find", body, &page)
				if got := refsOf(page.Sessions); len(got) != 3 || !slices.Contains(got, zoe[1].ref()) {
					t.Errorf("%s: %v", body, got)
				}
			}
			var ended admin.Ended
			ask(http.MethodPost, "/session/end", `{"user":"zoë","except":"`+zoe[1].ref()+`"}`, &ended)
			if ended.Ended != 2 || zoe[0].ref() != "" || zoe[1].ref() == "" || zoe[2].ref() != "" || guest.ref() == "" {
				t.Errorf("%d ended; left: %q, %q, %q", ended.Ended, zoe[0].ref(), zoe[1].ref(), zoe[2].ref())
			}
			ask(http.MethodPost, "/session/end", `{"all":true}`, &ended)
			if ended.Ended != 2 || zoe[1].ref() != "" || guest.ref() != "" || len(listAll(t, c, "", 10)) > 0 {
				t.Errorf("%d ended", ended.Ended)
			}

			text := texts.String() + c.Log()
			for _, v := range visitors {
				if id := v.id(); id != "" && strings.Contains(text, id) {
					t.Error("an answer or the log has an id")
				}
			}
			if strings.Contains(texts.String(), "not to be seen") {
				t.Error("an answer has data that were not asked for")
			}
		})
	}
}

// TestEndingByAFormerRef ends a session by the ref that the log has: the user has got a new id
// since.
func TestEndingByAFormerRef(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store memory"))
	v := visit(t, c.URL)
	former := v.login("zoë")
	for range 3 {
		v.ask("X-Session-Control", "regenerate")
		if v.ref() == former {
			t.Fatal("no new id")
		}
	}
	if status, text := api(t, c, http.MethodGet, "/session/sessions/"+former, "", nil); status != http.StatusNotFound {
		t.Errorf("the former session is shown: %d, %s", status, text)
	}
	if status, text := api(t, c, http.MethodDelete, "/session/sessions/"+former, "", nil); status != http.StatusOK {
		t.Errorf("%d: %s", status, text)
	}
	if v.ref() != "" {
		t.Error("still logged in")
	}
}

// TestAdminRefuses sends requests that the API does not take.
func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, strings.Replace(site(t, "store memory"), "reverse_proxy", "session {\n\t\tname shop\n\t\tstore bolt\n\t}\n\treverse_proxy", 1))
	v := visit(t, c.URL)
	zoe, ref := v.login("zoë"), strings.Repeat("r", 43)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/session/stores", "{}", 405, "method not allowed"},
		{"GET", "/session/end", "", 405, "method not allowed"},
		{"GET", "/session/sessions", "", 400, "several stores are open, so name one: bolt-"},
		{"GET", "/session/sessions?store=redis", "", 404, `no store \"redis\" is open`},
		{"GET", "/session/sessions?store=memory&limit=0", "", 400, "limit: it must be from 1 to 1000"},
		{"GET", "/session/sessions?store=memory&limit=1", "", 200, ""},
		{"GET", "/session/sessions?store=memory&limit=1000", "", 200, ""},
		{"GET", "/session/sessions?store=memory&limit=1001", "", 400, "limit: it must be from 1 to 1000"},
		{"GET", "/session/sessions?store=memory&after=x", "", 400, "after: it is not from a list"},
		{"GET", "/session/sessions/" + ref + "?store=memory", "", 404, "there is no session with this ref"},
		{"GET", "/session/sessions/" + ref + "r?store=memory", "", 400, "a ref has 43"},
		{"DELETE", "/session/sessions/" + ref + "?store=memory", "", 404, "there is no session with this ref"},
		{"DELETE", "/session/sessions/user.x?store=memory", "", 400, "a ref has 43"},
		{"POST", "/session/find", `{"store":"memory"}`, 400, "name the user"},
		{"POST", "/session/find", `{"store":"memory","usr":"zoë"}`, 400, "usr"},
		{"POST", "/session/find", `{"store":"memory","user":"nobody"}`, 200, `{"sessions":[]}`},
		{"POST", "/session/find", `{"store":"bolt","user":"zoë"}`, 400, "the sessions of users are not known here"},
		{"POST", "/session/end", `{"store":"memory"}`, 400, "name a user"},
		{"POST", "/session/end", `{"store":"memory","user":"zoë","except":"x"}`, 400, "except: a ref has 43"},
		{"POST", "/session/end", `{"store":"memory","user":"zoë","except":"` + ref + `"}`, 404, "except: there is no session with this ref"},
		{"POST", "/session/end", `{"store":"memory","user":"nobody","except":"` + zoe + `"}`, 404, "except: there is no session with this ref"},
		{"POST", "/session/end", `{"store":"memory","user":"zoë"}{"user":"bob"}`, 400, "must be one JSON object: there is more"},
		{"POST", "/session/end", `{"store":"memory","user":"zoë","all":true}`, 400, "name a user"},
		{"POST", "/session/end", `{"store":"memory","user":"` + strings.Repeat("u", 70<<10) + `"}`, 400, "too large"},
	} {
		status, text := api(t, c, test.method, test.path, test.body, nil)
		if status != test.status || !strings.Contains(text, test.says) {
			t.Errorf("%s %s %.60s: %d, %s", test.method, test.path, test.body, status, text)
		}
	}
	if v.ref() != zoe {
		t.Error("a request that was refused has ended a session")
	}
	if text := c.Log(); strings.Contains(text, "zoë") {
		t.Error("the log has the name of a user")
	}
}

// TestCursorOfAnotherStore checks that a cursor counts for its own store only, and reveals nothing.
func TestCursorOfAnotherStore(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, strings.Replace(site(t, "store memory"), "reverse_proxy", "session {\n\t\tname shop\n\t\tstore memory other\n\t}\n\treverse_proxy", 1))
	for range 3 {
		visit(t, c.URL).login("zoë")
	}
	var open struct{ Stores []admin.Store }
	api(t, c, http.MethodGet, "/session/stores", "", &open)
	if len(open.Stores) != 2 || open.Stores[0].Name == open.Stores[1].Name {
		t.Fatalf("stores: %+v", open.Stores)
	}
	full, empty := open.Stores[0], open.Stores[1]
	if *empty.Records > 0 {
		full, empty = empty, full
	}
	var page admin.Page
	api(t, c, http.MethodGet, "/session/sessions?limit=1&store="+full.Name, "", &page)
	if page.Next == "" || strings.Contains(page.Next, page.Sessions[0].Ref) {
		t.Errorf("the cursor is %q", page.Next)
	}
	path := "/session/sessions?after=" + url.QueryEscape(page.Next) + "&store="
	if status, text := api(t, c, http.MethodGet, path+full.Name, "", nil); status != http.StatusOK {
		t.Errorf("%d: %s", status, text)
	}
	if status, text := api(t, c, http.MethodGet, path+empty.Name, "", nil); status != http.StatusBadRequest {
		t.Errorf("%d: %s", status, text)
	}
}

// TestStoreThatCannotList asks memcached for its list. Single sessions are found and ended there
// too.
func TestStoreThatCannotList(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t).Addr
	c := harness.Start(t, site(t, "store memcached "+server))
	v := visit(t, c.URL)
	ref := v.login("zoë")
	for path, body := range map[string]string{"/session/find": `{"user":"zoë"}`, "/session/end": `{"all":true}`} {
		if status, text := api(t, c, http.MethodPost, path, body, nil); status != http.StatusNotImplemented && status != http.StatusBadRequest ||
			!strings.Contains(text, "cannot list its sessions") {
			t.Errorf("%s: %d, %s", path, status, text)
		}
	}
	if status, text := api(t, c, http.MethodGet, "/session/sessions", "", nil); status != http.StatusNotImplemented || !strings.Contains(text, "cannot list its sessions") {
		t.Errorf("%d, %s", status, text)
	}
	var one admin.Session
	api(t, c, http.MethodGet, "/session/sessions/"+ref, "", &one)
	if one.User != "zoë" {
		t.Errorf("one session: %+v", one)
	}
	var page admin.Page
	api(t, c, http.MethodPost, "/session/find", `{"user":"zoë","scope":"`+one.Scope+`"}`, &page)
	if len(page.Sessions) != 1 {
		t.Errorf("%d sessions", len(page.Sessions))
	}
	api(t, c, http.MethodPost, "/session/end", `{"user":"zoë","scope":"`+one.Scope+`"}`, nil)
	if v.ref() != "" {
		t.Error("still logged in")
	}
}

// TestSessionsOfAnApp lists sessions in Flask-Session's format, whose keys hold their ids.
func TestSessionsOfAnApp(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{}).Addr()
	c := harness.Start(t, strings.Replace(site(t, "dialect flask_session\n store redis "+server), "user user", "user name", 1))
	var refs, ids []string
	for range 5 {
		v := visit(t, c.URL)
		v.ask("X-Session-Update", `{"name":"zoë"}`)
		refs = append(refs, v.ref())
		at, err := url.Parse(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range v.client.Jar.Cookies(at) {
			ids = append(ids, cookie.Value)
		}
	}
	slices.Sort(refs)
	if got := refsOf(listAll(t, c, "", 2)); !slices.Equal(got, refs) || len(ids) != 5 {
		t.Errorf("%v, want %v", got, refs)
	}
	_, text := api(t, c, http.MethodGet, "/session/sessions?limit=1", "", nil)
	var one admin.Session
	_, shown := api(t, c, http.MethodGet, "/session/sessions/"+refs[0]+"?data=true", "", &one)
	if string(one.Data) != `{"name":"zo\u00eb"}` || !one.Created.IsZero() {
		t.Errorf("one session: %s", shown)
	}
	if status, text := api(t, c, http.MethodDelete, "/session/sessions/"+refs[0], "", nil); status != http.StatusOK {
		t.Errorf("%d: %s", status, text)
	}
	if got := refsOf(listAll(t, c, "", 2)); !slices.Equal(got, refs[1:]) {
		t.Errorf("%v, want %v", got, refs[1:])
	}
	// They have no scope, so whoever names one does not mean all of them.
	for path, of := range map[string]string{"/session/find": `"user":"zoë"`, "/session/end": `"user":"zoë"`, "/session/end?": `"all":true`} {
		if status, text := api(t, c, http.MethodPost, path, `{`+of+`,"scope":"name |127.0.0.1"}`, nil); status != http.StatusBadRequest || !strings.Contains(text, "scope: the sessions of an app have none") {
			t.Errorf("%s of a scope: %d, %s", path, status, text)
		}
	}
	if got := refsOf(listAll(t, c, "", 2)); !slices.Equal(got, refs[1:]) {
		t.Errorf("after a scope: %v, want %v", got, refs[1:])
	}
	var found admin.Page
	if api(t, c, http.MethodPost, "/session/find", `{"user":"zoë"}`, &found); len(found.Sessions) != 4 {
		t.Errorf("of the user: %d", len(found.Sessions))
	}
	var ended admin.Ended
	if api(t, c, http.MethodPost, "/session/end", `{"all":true}`, &ended); ended.Ended != 4 {
		t.Errorf("%d ended", ended.Ended)
	}
	text += shown + c.Log()
	for _, id := range ids {
		if strings.Contains(text, id) {
			t.Error("an answer or the log has an id")
		}
	}
}
