package http_test

import (
	"net/http"
	"strings"
	"testing"
)

const valuesOptions = `
		store memory
		secret $SECRET
		inject X-Remote-User "{http.session.data.user.name}"
		inject X-Roles user.roles
		inject X-Id user.id
		inject X-Label "{http.session.data.user.id}/{http.session.data.user.name} <{http.session.data.mail}>"
		inject X-Known "{http.session.exists}"
		capture X-User user json {
			status 2xx 3xx
		}
		capture X-Mail mail {
			status 200
			header X-Verified yes
		}
		capture X-Failed failed {
			status 401 403
		}`

var (
	values = newSite("values", `
	session {`+valuesOptions+`
	}
	handle /fcgi* {
		reverse_proxy $FCGI {
			transport fastcgi
		}
	}
	handle /mapped {
		reverse_proxy $BACKEND {
			@teapot status 418
			replace_status @teapot 200
		}
	}
	handle {
		reverse_proxy $BACKEND
	}
	handle_errors {
		respond "sorry: {http.session.error} user=[{http.request.header.X-Remote-User}] known=[{http.request.header.X-Known}]"
	}`)
	pairOfValues = newSite("pairofvalues", `
	session {
		store memory
		secret $SECRET
		inject X-User user
	}
	session {
		name shop
		store memory
		secret $SECRET
		inject X-Both "{http.session.data.user}: {http.session.shop.data.cart} {http.session.shop.exists}"
		inject X-List "{http.session.data.list}"
		inject X-Later "{http.session.nobody.data.user}"
	}
	reverse_proxy $BACKEND`)
)

// absent fails the test if the backend got one of these headers.
func (r *reply) absent(names ...string) *reply {
	r.t.Helper()
	for _, name := range names {
		if got := r.sent().Header.Values(name); got != nil {
			r.t.Errorf("the backend got %s: %q", name, got)
		}
	}
	return r
}

func TestTypedValues(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/fcgi"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := values.browser(t).with("X-Remote-User", forgery).with("X-Roles", forgery).with("X-Label", forgery).with("X-Known", forgery)
			r := b.get(path).want(http.StatusOK).absent("X-Remote-User", "X-Roles", "X-Id", "X-Label")
			if r.given("X-Known") != "false" {
				t.Errorf("X-Known: %q", r.given("X-Known"))
			}
			// A failed login has no user, whatever its headers say.
			r = b.get(ask(path, "status", "401", "X-User", `{"name":"max"}`, "X-Mail", "m@example.com", "X-Failed", "max")).want(http.StatusUnauthorized)
			if r.Header["X-User"] != nil || r.Header["X-Mail"] != nil || r.Header["X-Failed"] != nil {
				t.Errorf("the client got %v", r.Header)
			}
			before := r.issues().Value
			b.get(path).holds(`{"failed":"max"}`).absent("X-Remote-User")
			r = b.get(ask(path, "status", "303", "X-User", `{"name":"Zoë, 100%\r\nX-Evil: 1","roles":["a","é"],"id":7.50}`,
				"X-Mail", "zoe@example.com", "X-Verified", "yes")).want(http.StatusSeeOther)
			if r.Header["X-User"] != nil || r.Header["X-Mail"] != nil || r.issues().Value == before {
				t.Errorf("the client got %v", r.Header)
			}
			// 303 is a status for the user and not for the mail.
			r = b.get(path).want(http.StatusOK).absent("X-Label", "X-Evil")
			name := "Zo%C3%AB, 100%25%0D%0AX-Evil: 1"
			if r.given("X-Remote-User") != name || r.given("X-Roles") != `["a","\u00e9"]` || r.given("X-Id") != "7.50" || r.given("X-Known") != "true" {
				t.Errorf("the backend got %v", r.sent().Header)
			}
			b.get(ask(path, "X-Mail", "zoe@example.com")).want(http.StatusOK).keeps()
			b.get(path).absent("X-Label")
			b.get(ask(path, "X-Mail", "zoe@example.com", "X-Verified", "yes")).want(http.StatusOK)
			if got, want := b.get(path).given("X-Label"), "7.50/"+name+" <zoe@example.com>"; got != want {
				t.Errorf("X-Label: %q, want %q", got, want)
			}
			// An invalid list is refused as a whole.
			for _, bad := range []string{"zoe", `{"name":`, `{"a":1},{"b":2}`, `{"a":1,"a":2}`} {
				r := b.get(ask(path, "X-User", bad, "update", `{"failed":"again"}`)).want(http.StatusBadGateway).keeps()
				if body := string(r.body); !strings.HasPrefix(body, "sorry: X-User: invalid change") || !strings.HasSuffix(body, "user=[] known=[]") || strings.Contains(body, bad) {
					t.Errorf("after %s: %s", bad, body)
				}
			}
			if got := b.get(path).given("X-Session-Data"); !strings.Contains(got, `"failed":"max"`) {
				t.Errorf("data %s", got)
			}
			b.get(ask(path, "X-User", "null")).want(http.StatusOK).issues()
			b.get(path).holds(`{"failed":"max","mail":"zoe@example.com"}`).absent("X-Remote-User", "X-Roles", "X-Label")
		})
	}
}

// The status that the client gets is the one that counts.
func TestCaptureByTheFinalStatus(t *testing.T) {
	t.Parallel()
	b := values.browser(t)
	b.get(ask("/", "status", "418", "X-User", `{"name":"zoe"}`)).want(http.StatusTeapot).keeps()
	b.get(ask("/mapped", "status", "418", "X-User", `{"name":"zoe"}`)).want(http.StatusOK).issues()
	b.look().holds(`{"user":{"name":"zoe"}}`)
	// Headers of early hints do not count.
	b.via(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-User", `{"name":"early"}`)
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-User", `{"name":"late"}`)
		w.WriteHeader(http.StatusNotFound)
	}).get("/").want(http.StatusNotFound).keeps()
	b.look().holds(`{"user":{"name":"zoe"}}`)
}

func TestValuesOfNamedSessions(t *testing.T) {
	t.Parallel()
	b := pairOfValues.browser(t)
	b.look().absent("X-User", "X-Both", "X-List", "X-Later")
	b.change("update", `{"user":"zo\u00eb","list":[1,"100%"]}`)
	if r := b.look().absent("X-Both", "X-Later"); r.given("X-List") != `[1,"100%"]` {
		t.Errorf("X-List: %q", r.given("X-List"))
	}
	b.change("X-Session-Shop-Update", `{"cart":{"n":2}}`)
	if r := b.look().absent("X-Later"); r.given("X-Both") != `zo%C3%AB: {"n":2} true` || r.given("X-User") != "zo%C3%AB" {
		t.Errorf("the backend got %v", r.sent().Header)
	}
}
