package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session/caddymodule"
	"github.com/caddy-session/caddy-session/caddymodule/check"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memcached"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/mongodb"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/mysql"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
	_ "github.com/caddy-session/caddy-session/frameworks/flask"
)

// found checks a Caddyfile.
func found(t *testing.T, caddyfile string) []check.Finding {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	findings, err := check.Config(config, "Caddyfile", []byte(caddyfile))
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func site(body string) string { return "http://a.example {\n" + body + "\n}\n" }

const (
	memory = "session {\n store memory\n}\n"
	app    = "reverse_proxy localhost:9000\n"
	user   = "{http.session.data.user}"
	hash   = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG"
	auth   = "basic_auth {\noperator " + hash + "\n}\n"
)

// Each configuration has just the named finding, with these texts in it.
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, caddyfile, kind string
		texts                 []string
	}{
		{"a gate without session", site("session_gate user /login\n" + app), "gate_without_session", []string{"Caddyfile:2: server srv0 (:80), host a.example", "no session before this session_gate"}},
		{"a gate of another session", site("session {\n name shop\n}\nsession_gate user /login\n" + app), "gate_without_session", []string{"Caddyfile:5:", "write the name"}},
		{"a gate with a name", site("session\nsession_gate user /login {\n name shop\n}\n" + app), "gate_without_session", []string{"no session with the name shop"}},
		{"a gate before session in a route", site("route {\nsession_gate user /login\nsession\n" + app + "}"), "gate_without_session", nil},

		{"devices without session", site("session_devices /devices\n" + app), "devices_without_user", []string{"Caddyfile:2:", "no session before this session_devices", "500"}},
		{"devices of another session", site("session {\n name shop\n user user\n}\nsession_devices /devices\n" + app), "devices_without_user", []string{"no session before"}},
		{"devices of a named session", site("session {\n user user\n}\nsession_devices /devices {\n name shop\n}\n" + app), "devices_without_user", []string{"session with the name shop"}},
		{"devices without user", site("session\nsession_devices /devices\n" + app), "devices_without_user", []string{"has no option user", "401"}},
		{"devices before session in a route", site("route {\nsession_devices /devices\nsession {\n user user\n}\n" + app + "}"), "devices_without_user", nil},
		{"a page without an operator", site("session\nsession_admin /sessions\n" + app), "admin_without_operator", []string{"Caddyfile:3:", "403", "basic_auth"}},
		{"a page for the session's users", site("session {\n user user authenticate\n}\nsession_admin /sessions\n" + app), "admin_without_operator", nil},
		{"a page that an operator elsewhere protects", site("session\nhandle /a {\n" + auth + "respond ok\n}\nhandle /b {\nsession_admin\n}"), "admin_without_operator", nil},
		{"a page before the operator in a route", site("route {\nsession_admin /sessions\n" + auth + "session\n" + app + "}"), "admin_without_operator", nil},
		{"a page behind forward_auth alone", site("session\nforward_auth localhost:9001 {\nuri /auth\ncopy_headers Remote-User\n}\nsession_admin /sessions\n" + app), "admin_without_operator", nil},
		{"session behind a page", site("route {\n" + auth + "session_admin\nsession\n}"), "session_never_reached", nil},
		{"session behind reverse_proxy", site("route {\n" + app + "session\n}"), "session_never_reached", []string{"Caddyfile:4:", "no request gets to this session: reverse_proxy at "}},
		{"session behind php_fastcgi", site("root /srv\nroute {\nphp_fastcgi localhost:9000\nsession\n}"), "session_never_reached", nil},
		{"session behind respond", site("route {\nrespond ok\nsession\n}"), "session_never_reached", nil},
		{"session behind file_server", site("route {\nfile_server\nsession\n}"), "session_never_reached", nil},
		{"session behind a handle that answers", site("route {\nhandle {\n" + app + "}\nsession\n}"), "session_never_reached", nil},

		{"a handle without session", site("handle /app/* {\nsession\n" + app + "}\nhandle {\n" + app + "}"), "app_reached_without_session",
			[]string{"localhost:9000 is reached here without the session", "path /app/*", "anybody can send it X-Session-Data"}},
		{"another name of the same app", site("handle /app/* {\nsession\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\n" + app + "}"), "app_reached_without_session", []string{"Caddyfile:7: ", "localhost:9000 is reached here"}},
		{"another site", site("session\n"+app) + "http://b.example {\n" + app + "}", "app_reached_without_session", []string{"host b.example", "Caddyfile:7"}},
		{"another port", site("session\n"+app) + "http://a.example:8080 {\n" + app + "}", "app_reached_without_session", []string{":8080"}},
		{"before session in a route", site("route {\nreverse_proxy /static/* localhost:9000\nsession\n" + app + "}"), "app_reached_without_session", []string{"path /static/*"}},
		{"in error routes", site("session\n" + app + "handle_errors {\n" + app + "}"), "app_reached_without_session", []string{"handle_errors"}},
		{"with another session", site("handle /shop/* {\nsession {\n name shop\n}\n" + app + "}\nhandle {\nsession\n" + app + "}"), "app_reached_without_session", []string{"X-Session-Shop-Data"}},
		{"php_fastcgi", site("root /srv\nhandle /app/* {\nsession\nphp_fastcgi unix//run/php.sock\n}\nhandle {\nphp_fastcgi unix//run/php.sock\n}"), "app_reached_without_session", []string{"unix//run/php.sock"}},
		{"forward_auth", site("route {\nforward_auth localhost:9000 {\n uri /auth\n}\nsession\n" + app + "}"), "app_reached_without_session", nil},

		{"two handlers in one request", site("session\nhandle {\nsession\n" + app + "}"), "one_cookie", []string{"it is a 500"}},
		{"two stores", site("handle /a/* {\n" + memory + "}\nhandle {\nsession\n}"), "one_cookie", []string{"logs its users out"}},
		{"two stores on two ports", site("session") + "http://a.example:8080 {\n" + memory + "}", "one_cookie", nil},
		{"two sites of one domain", "http://a.example.org {\nsession {\ncookie {\ndomain example.org\n}\n}\n}\nhttp://b.example.org {\nsession {\nstore memory\ncookie {\ndomain example.org\n}\n}\n}", "one_cookie", nil},
		{"a wildcard", "http://*.example.org {\nsession\n}\nhttp://b.example.org {\n" + memory + "}", "one_cookie", nil},
		{"an app's cookie", site("handle /a/* {\nsession {\n dialect flask {\n secret x\n}\n}\n}\nhandle {\nsession {\n cookie {\n name session\n}\n}\n}"), "one_cookie", nil},

		{"redis", site("session {\nstore redis redis.example.org\n}"), "no_secret", []string{"Caddyfile:3:", "give all of them the same secret"}},
		{"redis by a variable", site("session {\nstore redis {env.NOT_SET_HERE}\n}"), "no_secret", nil},
		{"moving to redis", site("session {\nstore moving {\nfrom bolt\nto redis redis.example.org\n}\n}"), "no_secret", []string{"Caddyfile:3:"}},
		{"moving from a store that another uses", site("session /a {\nname a\nstore moving {\nfrom bolt\nto memory\n}\n}\nsession /b {\nname b\n}"), "moved_from_here", []string{"Caddyfile:9:"}},
		{"moving away from redis", site("session {\nstore moving {\nfrom redis redis.example.org\nto bolt\n}\n}"), "no_secret", nil},
		{"memcached", site("session {\nstore memcached cache1 cache2\n}"), "no_secret", nil},
		{"postgres", site("session {\nstore sql postgres postgres://u:p@db.example.org/d\n}"), "no_secret", nil},
		{"mysql", site("session {\nstore sql mysql u:p@tcp(db.example.org:3306)/d\n}"), "no_secret", nil},
		{"mongodb", site("session {\nstore mongodb mongodb://u:p@db.example.org/\n}"), "no_secret", nil},

		{"root", site("session\nhandle {\nroot /srv/" + user + "\nfile_server\n}"), "placeholder_chooses", []string{"Caddyfile:4:", user + " chooses a file in root"}},
		{"try_files", site("session\nhandle {\ntry_files /users/" + user + "\nfile_server\n}"), "placeholder_chooses", []string{"chooses a file in try_files"}},
		{"rewrite", site("session\nhandle {\nrewrite /users/" + user + "\nfile_server\n}"), "placeholder_chooses", []string{"chooses a file in rewrite"}},
		{"reverse_proxy", site("session\nreverse_proxy " + user), "placeholder_chooses", []string{"chooses a host in reverse_proxy"}},
		{"redir", site("session\nhandle {\nredir " + user + "\n}"), "placeholder_chooses", []string{"chooses a redirect in redir"}},
		{"redir to a host", site("session\nhandle {\nredir https://" + user + "/\n}"), "placeholder_chooses", nil},
		{"redir to two slashes", site("session\nhandle {\nredir * /" + user + "\n}"), "placeholder_chooses", nil},
		{"the user", site("session\nhandle {\nroot /srv/{http.session.user}\nfile_server\n}"), "placeholder_chooses", nil},
		{"a map that copies by a regexp", site("map " + user + " {place} {\n~^(.*)$ \"${1}\"\n}\nsession\nhandle {\nroot /srv/{place}\nfile_server\n}"), "placeholder_chooses",
			[]string{"Caddyfile:2, Caddyfile:7:", "{place}, a copy of " + user + ", chooses a file in root"}},
		{"a map that copies a named group", site("map " + user + " {place} {\n~^u-(?P<who>\\w+)$ /u/${who}\ndefault /\n}\nsession\nhandle {\nredir * //{place}\n}"), "placeholder_chooses", []string{"chooses a redirect"}},
		{"a map that copies all", site("map " + user + " {place} {\n~^u.*$ $0\n}\nsession\nhandle {\nrewrite /{place}\nfile_server\n}"), "placeholder_chooses", nil},
		{"a map that copies by default", site("map {path} {place} {\n/a /srv/a\ndefault " + user + "\n}\nsession\nhandle {\nroot {place}\nfile_server\n}"), "placeholder_chooses", nil},
		{"a map that copies by an output", site("map {path} {other} {place} {\n/a - /srv/" + user + "\n}\nsession\nhandle {\nreverse_proxy {place}\n}"), "placeholder_chooses", []string{"chooses a host"}},
		{"a map of a map", site("map " + user + " {place} {\n~(.*) $1\n}\nmap {place} {other} {\n~(.*) $1\n}\nsession\nhandle {\nroot {other}\nfile_server\n}"), "placeholder_chooses", []string{"{other}, a copy of " + user}},
		{"a variable that copies", site("session\nhandle {\nvars place " + user + "\nroot /srv/{vars.place}\nfile_server\n}"), "placeholder_chooses", []string{"{http.vars.place}, a copy of " + user + ", chooses a file"}},
		{"a header that copies", site("session\nhandle {\nrequest_header X-Place " + user + "\nreverse_proxy {header.x-place}\n}"), "placeholder_chooses", []string{"chooses a host"}},
		{"an injected header", site("session {\ninject X-Place user\n}\nhandle {\nreverse_proxy {header.X-Place}\n}"), "placeholder_chooses", []string{"a copy of " + user}},
		{"uri replace", site("session\nhandle {\nuri replace /x/ /" + user + "/\nfile_server\n}"), "placeholder_chooses", []string{"Caddyfile:4:", "chooses a file in rewrite"}},
		{"uri path_regexp", site("session\nhandle {\nuri path_regexp ^/x /" + user + "\nfile_server\n}"), "placeholder_chooses", []string{"chooses a file in rewrite"}},
		{"a rewrite for an app", site("session\nreverse_proxy localhost:9000 {\nrewrite /users/" + user + "\n}"), "placeholder_chooses", []string{"chooses a file in reverse_proxy"}},
		{"a redirect that a header adds", site("session\nhandle {\nheader +Location " + user + "\nrespond 302\n}"), "placeholder_chooses", []string{"chooses a redirect in header"}},
		{"a redirect that a header replaces", site("session\nhandle {\nheader Location ^/x " + user + "\nredir * /x\n}"), "placeholder_chooses", []string{"chooses a redirect in header"}},
		{"a redirect on the answer of an app", site("session\nreverse_proxy localhost:9000 {\nheader_down Location " + user + "\n}"), "placeholder_chooses", []string{"chooses a redirect in reverse_proxy"}},
		{"of a named session", site("session {\n name shop\n}\nhandle {\nroot /srv/{http.session.shop.data.user}\nfile_server\n}"), "placeholder_chooses", nil},

		{"a logout by redir", site("session\nheader /out X-Session-Control destroy\nredir /out / 303\n" + app), "header_not_taken",
			[]string{"Caddyfile:3: server srv0 (:80), host a.example, path /out:", "X-Session-Control has no effect, and the browser gets it", "a handle after it"}},
		{"a logout by redir for one method", site("session\n@out {\nmethod POST\npath /out\n}\nheader /out +X-Session-Control destroy\nredir @out / 303\n" + app), "header_not_taken", []string{"Caddyfile:7:"}},
		{"a message with a redir of all", "http://a.example {\nheader X-Session-Flash bye\nroute {\nredir /old /new\nsession\n" + app + "}\n}", "header_not_taken", []string{"path /old"}},
		{"a logout in a handle without session", site("handle /app/* {\nsession\n" + app + "}\nhandle /out {\nheader X-Session-Control destroy\nrespond bye\n}"), "header_not_taken", nil},
		{"a logout by a deferred header", site("session\nheader /out >X-Session-Control destroy\nrespond /out bye\n" + app), "header_not_taken", []string{"Caddyfile:3:", "Caddy sets it after session has looked at the response"}},
		{"a header that a removal defers", site("session\nheader /out {\n-Server\nX-Session-Control destroy\n}\nrespond /out bye\n" + app), "header_not_taken", []string{"Caddyfile:5:"}},
		{"a default header", site("session\nheader ?X-Session-Flash bye\n" + app), "header_not_taken", nil},
		{"of a session with a name", site("session {\nname shop\n}\nheader /out X-Session-Shop-Control destroy\nredir /out / 303\n" + app), "header_not_taken", []string{"X-Session-Shop-Control has"}},
		{"in error routes, where the session is over", site("session\n" + app + "handle_errors {\nheader X-Session-Control destroy\nrespond sorry\n}"), "header_not_taken", []string{"handle_errors"}},

		{"a header before session", site("request_header X-User " + user + "\nrequest_header X-Ref {http.session.error}\nroute {\nheader X-Ref {http.session.ref}\nsession\n" + app + "}"), "placeholder_always_empty", nil},
		{"a matcher before session", site("route {\n@a vars {http.session.exists} true\nheader @a X-A b\nsession\n" + app + "}"), "placeholder_always_empty", []string{"{http.session.exists} is always empty here"}},
		{"of a session that is not there", site("session\nhandle {\nrespond {http.session.shop.data.a}\n}"), "placeholder_always_empty", []string{"Caddyfile:4:"}},
		{"without any session", site("respond {http.session.ref}"), "placeholder_always_empty", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := found(t, test.caddyfile)
			if len(all) == 0 {
				t.Fatal("no finding")
			}
			for _, f := range all {
				if f.Kind != test.kind || f.Where == "" || f.What == "" || f.Do == "" {
					t.Errorf("%s: %s", f.Kind, f)
				}
			}
			printed := fmt.Sprint(all)
			for _, text := range test.texts {
				if !strings.Contains(printed, text) {
					t.Errorf("no %q in: %s", text, printed)
				}
			}
		})
	}
}

// These configurations are right.
func TestNoFindings(t *testing.T) {
	t.Parallel()
	for name, caddyfile := range map[string]string{
		"three lines":                    site("session\n" + app),
		"a logout beside a handle":       site("header /logout X-Session-Control destroy\nhandle /logout {\nsession\nrespond bye\n}\nhandle {\nfile_server\n}"),
		"a gate":                         site("session\nsession_gate user /login\n" + app),
		"a named gate":                   site("session {\n name shop\n}\nsession_gate user /login {\n name shop\n}\n" + app),
		"devices":                        site("session {\n user user\n}\nsession_devices /devices\n" + app),
		"devices of a named session":     site("session {\n name shop\n user user\n}\nsession_devices /devices {\n name shop\n}\n" + app),
		"a page":                         site("session\n" + auth + "session_admin /sessions\n" + app),
		"a page in a handle":             site("session\nhandle /sessions {\n" + auth + "session_admin\n}\n" + app),
		"a page behind a matcher":        site("session\nbasic_auth /sessions {\noperator " + hash + "\n}\nsession_admin /sessions\n" + app),
		"a page with vars":               site("session\nroute {\nforward_auth localhost:9001 {\nuri /auth\ncopy_headers Remote-User\n}\nvars http.auth.user.id {http.request.header.Remote-User}\nsession_admin /sessions\n" + app + "}"),
		"a gate behind a matcher":        site("session /app/*\nsession_gate /app/* user /login\n" + app),
		"a matcher":                      site("session /app/*\n" + app),
		"static files before session":    site("route {\nhandle /static/* {\nfile_server\n}\nsession\n" + app + "}"),
		"one route answers a part":       site("route {\nrespond /health ok\nsession\n" + app + "}"),
		"another app without session":    site("handle /static/* {\nreverse_proxy localhost:9001\n}\nhandle {\nsession\n" + app + "}"),
		"an app without sessions":        site(app),
		"two sites, one cookie each":     site(memory) + "http://b.example {\nsession\n}",
		"two paths":                      site("handle /a/* {\nsession {\nstore memory\ncookie {\npath /a\n}\n}\n}\nhandle {\nsession {\ncookie {\npath /b\n}\n}\n}"),
		"the same session twice":         site("handle /a/* {\nsession\n" + app + "}\nhandle {\nsession\n" + app + "}"),
		"a default store written out":    site("handle /a/* {\nsession {\nstore bolt\n}\n}\nhandle {\nsession\n}"),
		"a default dialect written out":  site("handle /a/* {\nsession {\ndialect native\n}\n}\nhandle {\nsession\n}"),
		"a query by uri":                 site("session\nhandle {\nuri query user " + user + "\nfile_server\n}"),
		"a replacement on the same host": site("session\nhandle {\nheader Location ^/x /users/" + user + "\nredir * /x\n}"),
		"a fixed replacement by uri":     site("session\nhandle {\nuri replace /x/ /y/\nfile_server\n}"),
		"two names":                      site("session\nsession {\n name shop\n store memory\n}\n" + app),
		"holding beside a store in use":  site("session /a {\nname a\nstore moving {\nfrom bolt\nto memory\nhold\n}\n}\nsession /b {\nname b\n}"),
		"a logout in a handle":           site("session\nhandle /out {\nheader X-Session-Control destroy\nredir * / 303\n}\n" + app),
		"a deferred logout in a handle":  site("session\nhandle /out {\nheader >X-Session-Control destroy\nredir * / 303\n}\n" + app),
		"a logout by respond":            site("session\nheader /out X-Session-Control destroy\nrespond /out bye\n" + app),
		"a logout beside another redir":  site("session\nheader /out X-Session-Control destroy\nrespond /out bye\nredir /old /new\n" + app),
		"two handles in one group":       site("route {\nhandle /out {\nheader X-Session-Control destroy\n}\nhandle {\nrespond /health ok\n}\nsession\n" + app + "}"),
		"headers of another session":     site("session {\nname shop\n}\nheader /out X-Session-Control destroy\nredir /out / 303\n" + app),
		"a site without session":         site("session\n"+app) + "http://b.example {\nheader X-Session-Control destroy\nrespond ok\n}",
		"http and https":                 "a.example {\nsession\n" + app + "}\nhttp://a.example {\nredir https://a.example{uri}\n}",
		"redis on this machine":          site("session {\nstore redis\n}"),
		"redis by a socket":              site("session {\nstore redis unix//run/redis.sock\n}"),
		"redis with a secret":            site("session {\nstore redis redis.example.org\nsecret {env.KEY}\n}"),
		"redis with an app's secret":     site("session {\nstore redis redis.example.org\ndialect flask_session {\n use_signer on\n secret x\n}\n}"),
		"mysql on this machine":          site("session {\nstore sql mysql u:p@tcp(localhost:3306)/d\n}"),
		"sqlite":                         site("session {\nstore sql sqlite {env.NOT_SET_HERE}\n}"),
		"mongodb on this machine":        site("session {\nstore mongodb mongodb://localhost:27017\n}"),
		"a redirect on this host":        site("session\nhandle {\nredir * /of/" + user + "\n}"),
		"a redirect to a fixed host":     site("session\nhandle {\nredir https://b.example/of/" + user + "\n}"),
		"a query":                        site("session\nhandle {\nrewrite /page?user=" + user + "\nfile_server\n}"),
		"a ref, which nobody chooses":    site("session\nhandle {\nroot /srv/{http.session.ref}\nfile_server\n}"),
		"a header behind session":        site("session\nhandle {\nrequest_header X-User " + user + "\n" + app + "}"),
		"a deferred header":              site("header >X-User " + user + "\nsession\n" + app),
		"a field of the access log":      site("log_append user " + user + "\nsession\n" + app),
		"a map":                          site("map {http.session.data.role} {place} {\nadmin /admin\ndefault /\n}\nsession\n" + app),
		"a map of some texts by regexp":  site("map " + user + " {place} {\n~^(admin|staff)s?$ /srv/${1}\n~^x.*$ /srv/x\ndefault /srv\n}\nsession\nhandle {\nroot {place}\nfile_server\n}"),
		"a copy that chooses nothing":    site("map " + user + " {place} {\n~(.*) $1\n}\nsession\nhandle {\nheader X-Place {place}\nroot /srv\nfile_server\n}"),
		"a copy in another handle":       site("session\nhandle /a/* {\nvars place " + user + "\nrespond ok\n}\nhandle {\nroot /srv/{vars.place}\nfile_server\n}"),
		"a map of something else":        site("map {path} {place} {\n~(.*) $1\n}\nsession\nhandle {\nroot /srv/{place}\nfile_server\n}"),
		"an injected header that passes": site("session {\ninject X-Place user\n}\n" + app),
		"the reason in the error routes": site("session\n" + app + "handle_errors {\nrespond {http.session.error}\n}"),
		"the data in the error routes":   site("session\n" + app + "handle_errors {\nrespond " + user + "\n}"),
		"a named route":                  "&(app) {\n" + app + "}\n" + site("session\ninvoke app"),
		"a named route that holds both":  "&(app) {\nsession\n" + app + "}\n" + site("invoke app"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range found(t, caddyfile) {
				t.Errorf("%s: %s", f.Kind, f)
			}
		})
	}
}

// A storage that is not this machine's own may be the one that all instances share.
func TestSharedStorage(t *testing.T) {
	t.Parallel()
	for storage, want := range map[string]int{"": 1, `"storage":{"module":"file_system"},`: 1, `"storage":{"module":"redis"},`: 0} {
		config := `{` + storage + `"apps":{"http":{"servers":{"a":{"routes":[{"handle":[{"handler":"session","store":{"backend":"redis","addresses":["r.example.org"]}}]}]}}}}}`
		if all, err := check.Config([]byte(config), "", nil); err != nil || len(all) != want {
			t.Errorf("%s: %v, %v", storage, all, err)
		}
	}
}

// In JSON, a session with a matcher does not clean the requests that do not match.
func TestSessionWithAMatcherInJSON(t *testing.T) {
	t.Parallel()
	const clean = `{"handler":"session_clean","headers":["X-Session-Data"]}`
	for first, want := range map[string]int{"": 1, `{"handle":[` + clean + `]},`: 0} {
		config := `{"apps":{"http":{"servers":{"a":{"routes":[` + first + `{"match":[{"path":["/app/*"]}],"handle":[{"handler":"session"}]},` +
			`{"handle":[{"handler":"reverse_proxy","upstreams":[{"dial":"app:80"}]}]}]}}}}}`
		all, err := check.Config([]byte(config), "", nil)
		if err != nil || len(all) != want || want == 1 && !strings.Contains(all[0].What, "the matcher of the session leaves out") {
			t.Errorf("%s: %v, %v", first, all, err)
		}
	}
	if _, err := check.Config([]byte(`{"apps":1}`), "", nil); err == nil {
		t.Error("no error for what is not a configuration")
	}
}

// White space in JSON makes no other store, and no store is bolt.
func TestModulesWrittenInAnotherWay(t *testing.T) {
	t.Parallel()
	session := func(name, options string) string {
		return `{"match":[{"path":["/` + name + `"]}],"handle":[{"handler":"session","secret":["{env.KEY}"]` + options + `}]}`
	}
	for _, test := range []struct {
		one, two string
		want     int
	}{
		{`,"store":{"backend":"redis","addresses":["r"]}`, `,"store":{` + "\n\t" + `"addresses": ["r"], "backend": "redis"}`, 0},
		{`,"store":null`, `,"store":{"backend": "bolt"}`, 0},
		{`,"store":{"backend":"redis","addresses":["r"]}`, `,"store":{"backend":"redis","addresses":["s"]}`, 1},
		{`,"store":{"backend":"bolt","path":"a b"}`, `,"store":{"backend":"bolt","path":"a","timeout":"b"}`, 1},
		{`,"name":"a","store":{"backend":"moving","from":{"backend": "memory"},"to":{"backend":"bolt"}}`, `,"name":"b","store":{"backend":"memory"}`, 1},
	} {
		config := `{"apps":{"http":{"servers":{"a":{"routes":[` + session("one", test.one) + `,` + session("two", test.two) + `]}}}}}`
		all, err := check.Config([]byte(config), "", nil)
		if err != nil || len(all) != test.want {
			t.Errorf("%s and %s: %v, %v", test.one, test.two, all, err)
		}
	}
}

// What is null in JSON is not there.
func TestNullInJSON(t *testing.T) {
	t.Parallel()
	for _, config := range []string{
		`null`, `{"apps":{"http":{"servers":null}}}`, `{"apps":{"http":{"servers":{"a":null}}}}`, `{"apps":{"http":{"servers":{"a":{"routes":null,"errors":null,"named_routes":{"n":null}}}}}}`,
		`{"apps":{"http":{"servers":{"a":{"routes":[null,{"match":[null,{"host":null}],"handle":[null,{"handler":"session","store":null,"cookie":null,"inject":null},{"handler":"headers","response":null}]}]}}}}}`,
	} {
		if all, err := check.Config([]byte(config), "", nil); err != nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", config, all, err)
		}
	}
}
