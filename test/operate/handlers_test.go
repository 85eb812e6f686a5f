package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestHandlersWithOtherOptionsOnOneStore has two handlers of one site on a store. The later one
// would call the sessions of the first over, or somebody else's, or does not know users. What
// operators see and do must not depend on that.
func TestHandlersWithOtherOptionsOnOneStore(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]string{
		"bolt":                 "user mail\n idle_timeout 1s",
		"redis":                "user mail\n idle_timeout 1s",
		"bolt, without users":  "idle_timeout 1s",
		"bolt, with a name":    "name shop\n user user\n idle_timeout 1s",
		"redis, one user":      "user user\n idle_timeout 1s",
		"memory, absolute end": "user user\n absolute_timeout 1s\n idle_timeout 1s",
	} {
		kind, _, _ := strings.Cut(name, ",")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, store := harness.Backend(t, harness.Echo), "store "+kind
			if kind == "redis" {
				store += " " + redistest.Start(t, redistest.Options{}).Addr()
			}
			handle := func(path, options string) string {
				return fmt.Sprintf("\thandle %s {\n\t\tsession {\n%s\n%s\nstore_timeout 30s\n}\n\t\treverse_proxy %s\n\t}\n", path, options, store, app)
			}
			// Those with a path are provisioned first.
			c := harness.Start(t, "http://$ADDR {\n"+protect(t)+handle("/shop/*", "user user")+handle("", other)+"}\n")
			h := &handlers{t, c, c.URL + "/shop"}
			zoe := []*visitor{visit(t, h.base), visit(t, h.base), visit(t, h.base)}
			bob := visit(t, h.base)
			var refs []string
			for _, v := range zoe {
				refs = append(refs, v.login("zoe"))
			}
			refs = append(refs, bob.login("bob"))
			h.rest()

			h.sees(refs[:3], refs[3])
			scope := h.show(refs[0]).Scope
			page := operator{t, c.URL}.send("", nil)
			for _, ref := range refs {
				if !strings.Contains(page.body, ref) {
					t.Error("the page lacks a session")
				}
			}
			// No look has taken anything off the list that the app ends sessions by.
			zoe[0].ask("X-Session-Control", "end-others")
			if zoe[0].ref() == "" || zoe[1].ref() != "" || zoe[2].ref() != "" || bob.ref() == "" {
				t.Error("end-others did not end the others")
			}
			for i, v := range zoe[1:] {
				refs[i+1] = v.login("zoe")
			}
			older := h.export(4)
			h.rest()
			zoe[0].ask("X-Session-Update", `{"changed":true}`)
			newer := h.export(4)
			h.rest()

			says(t, c, []string{"end", refs[1]}, "1")
			if status, text := api(t, c, http.MethodDelete, "/session/sessions/"+refs[1], "", nil); status != http.StatusNotFound {
				t.Errorf("%d: %s", status, text)
			}
			body, err := json.Marshal(admin.Of{User: "zoe", Scope: scope, Except: refs[0]})
			if err != nil {
				t.Fatal(err)
			}
			h.ends("/session/end", string(body), 1)
			h.ends("/session/end", `{"all":true}`, 2)
			if slices.ContainsFunc(append(zoe, bob), func(v *visitor) bool { return v.ref() != "" }) {
				t.Error("somebody is still logged in")
			}

			h.imports(older, admin.Imported{Saved: 4})
			h.rest()
			h.imports(newer, admin.Imported{Saved: 1, Same: 3})
			h.imports(older, admin.Imported{Newer: 1, Same: 3})
			h.sees(refs[:3], refs[3])
			h.ends("/session/end", `{"user":"zoe"}`, 3)
			if bob.ref() == "" || zoe[0].ref() != "" {
				t.Error("the wrong ones have ended")
			}
		})
	}
}

// handlers is a Caddy whose handlers have one site, and the base of the first one.
type handlers struct {
	*testing.T
	c    *harness.Caddy
	base string
}

// rest waits until the shorter timeout is over.
func (h *handlers) rest() { time.Sleep(1100 * time.Millisecond) }

func (h *handlers) show(ref string) (one admin.Session) {
	h.Helper()
	if status, text := api(h.T, h.c, http.MethodGet, "/session/sessions/"+ref, "", &one); status != http.StatusOK {
		h.Errorf("%d: %s", status, text)
	}
	return one
}

// sees checks that these sessions are zoe's, and one is bob's, wherever operators look.
func (h *handlers) sees(zoe []string, bob string) {
	h.Helper()
	zoe = slices.Sorted(slices.Values(zoe))
	var found []string
	for _, s := range listAll(h.T, h.c, "", 10) {
		switch {
		case time.Until(s.Expires) < 23*time.Hour:
			h.Errorf("it expires at %s", s.Expires)
		case s.User == "zoe":
			found = append(found, s.Ref)
		case s.User != "bob" || s.Ref != bob:
			h.Errorf("a session of %q", s.User)
		}
	}
	if slices.Sort(found); !slices.Equal(found, zoe) {
		h.Errorf("listed: %v, want %v", found, zoe)
	}
	one := h.show(zoe[0])
	if one.User != "zoe" {
		h.Errorf("one session is of %q", one.User)
	}
	for _, scope := range []string{"", one.Scope} {
		body, err := json.Marshal(admin.Of{User: "zoe", Scope: scope})
		if err != nil {
			h.Fatal(err)
		}
		for range 2 {
			var page admin.Page
			api(h.T, h.c, http.MethodPost, "/session/find", string(body), &page)
			if got := refsOf(page.Sessions); !slices.Equal(got, zoe) {
				h.Errorf("scope %q: found %v, want %v", scope, got, zoe)
			}
		}
	}
}

// export returns n sessions.
func (h *handlers) export(n int) (lines string) {
	h.Helper()
	resp, err := http.Get("http://" + h.c.Admin + "/session/records")
	if err != nil {
		h.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if got := strings.Count(string(text), "\n"); err != nil || got != n {
		h.Errorf("%d sessions are exported, %v", got, err)
	}
	return string(text)
}

func (h *handlers) imports(lines string, want admin.Imported) {
	h.Helper()
	var done admin.Imported
	if status, text := api(h.T, h.c, http.MethodPost, "/session/records", lines, &done); !reflect.DeepEqual(done, want) {
		h.Errorf("%d: %s, want %+v", status, text, want)
	}
}

func (h *handlers) ends(path, body string, want int) {
	h.Helper()
	var ended admin.Ended
	if status, text := api(h.T, h.c, http.MethodPost, path, body, &ended); status != http.StatusOK || ended.Ended != want {
		h.Errorf("%s: %d, %s, want %d", body, status, text, want)
	}
}
