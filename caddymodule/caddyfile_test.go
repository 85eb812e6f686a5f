package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// everyOption has all options.
const everyOption = `name shop
scope label
secret 0123456789abcdef {env.SESSION_TEST_KEY}
store memory shared {
	max_sessions 1000
	max_bytes 1MiB
}
dialect native
header_prefix X-Shop-
forward user.name cart
updates off
encoding base64
inject X-Remote-User user.name
inject X-Role role
inject X-Label "{http.session.shop.data.user.id} ({http.request.host})"
capture X-Auth-User user.name
capture X-Groups user.groups json {
	status 2xx 302
	header X-Trusted yes
}
capture X-Theme theme text
regenerate_on user
idle_timeout 1h
absolute_timeout 7d
touch_interval 1m
regenerate_grace 5s
max_size 8000
store_timeout 500ms
on_store_error anonymous
explain on 192.0.2.0/24
streams keep
vary off
cookie {
	name shop
	domain example.com
	path /shop
	same_site strict
	secure on
	http_only off
	partitioned on
	pass_through on
	permanent off
}`

const everyOptionJSON = `{"name":"shop","scope":"label","secret":["0123456789abcdef","{env.SESSION_TEST_KEY}"],` +
	`"store":{"backend":"memory","max_bytes":1048576,"max_sessions":1000,"name":"shared"},"dialect":{"format":"native"},` +
	`"header_prefix":"X-Shop-","forward":["user.name","cart"],"updates":false,"encoding":"base64",` +
	`"inject":{"X-Label":"{http.session.shop.data.user.id} ({http.request.host})","X-Remote-User":"user.name","X-Role":"role"},` +
	`"capture":{"X-Auth-User":"user.name","X-Groups":{"field":"user.groups","format":"json","match":{"status_code":[2,302],"headers":{"X-Trusted":["yes"]}}},` +
	`"X-Theme":{"field":"theme","format":"text"}},"regenerate_on":["user"],` +
	`"idle_timeout":3600000000000,"absolute_timeout":604800000000000,"touch_interval":60000000000,"regenerate_grace":5000000000,` +
	`"max_size":8000,"store_timeout":500000000,"on_store_error":"anonymous","explain":["192.0.2.0/24"],"streams":"keep","vary":false,` +
	`"cookie":{"name":"shop","domain":"example.com","path":"/shop","same_site":"strict","secure":"on","http_only":false,` +
	`"partitioned":true,"pass_through":"on","permanent":false}}`

func TestCaddyfileEveryOption(t *testing.T) {
	t.Setenv("SESSION_TEST_KEY", testSecret)
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + everyOption + "\n}")); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != everyOptionJSON {
		t.Errorf("the configuration is\n%s\nwant\n%s", got, everyOptionJSON)
	}
	if _, err := provision(t, everyOption); err != nil {
		t.Errorf("provisioning: %v", err)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	tests := []struct{ name, options, want string }{
		{"unknown option", "colour red", "unrecognized option of session: colour"},
		{"unknown option of the cookie", "cookie {\nflavour sweet\n}", "unrecognized option of cookie: flavour"},
		{"unknown option of a store", "store memory {\nsize 3\n}", "unrecognized option of store memory: size"},
		{"option given twice", "max_size 1\nmax_size 2", "max_size is given twice"},
		{"cookie given twice", "cookie {\n}\ncookie {\n}", "cookie is given twice"},
		{"cookie option given twice", "cookie {\npath /\npath /\n}", "path is given twice"},
		{"header injected twice", "inject X-User a\ninject X-User b", "inject X-User is given twice"},
		{"header captured twice", "capture X-User a\ncapture X-User b", "capture X-User is given twice"},
		{"template without quotes", "inject X-User {http.session.data.a} b", "value"},
		{"capture without a field", "capture X-User", "value"},
		{"capture with too many values", "capture X-User user json 200", "value"},
		{"unknown format of capture", "capture X-User user xml", "capture X-User: format must be text or json, not"},
		{"unknown condition of capture", "capture X-User user {\nmethod GET\n}", "unrecognized response matcher method"},
		{"invalid status", "capture X-User user json {\nstatus ok\n}", "bad status value 'ok'"},
		{"condition without a status", "capture X-User user {\nstatus\n}", "wrong argument count"},
		{"store that is not compiled in", "store memcached localhost", "--with github.com/caddy-session/caddy-session/caddymodule/stores/memcached"},
		{"database that is not compiled in", "store sql postgres postgres://u@h/d", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"},
		{"store of databases that is not compiled in", "store sql postgres://u@h/d", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/<postgres, mysql, sqlite>"},
		{"store that does not exist", "store rediss localhost", "unrecognized store: rediss; available: bolt, file, memcached, memory, mongodb, moving, none, redis, sql"},
		{"database that does not exist", "store sql oracle", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/<postgres, mysql, sqlite>"},
		{"dialect that does not exist", "dialect flask-session", "unrecognized dialect: flask-session; available: flask, flask_session, native"},
		{"adopter that does not exist", "adopt php", "unrecognized adopt: php; available: flask"},
		{"no store", "store", "store: missing value: available: bolt, file"},
		{"variable that is not set", "idle_timeout {$SESSION_TEST_NOPE}", "idle_timeout: missing value: a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d (a variable such as {$NAME} that is not set is empty)"},
		{"variable that is not set, in quotes", `idle_timeout ""`, "idle_timeout: missing value"},
		{"variable that is not set, of a choice", "encoding", "encoding: missing value: json or base64"},
		{"a duration in two words", "idle_timeout 2 hours", "idle_timeout takes one value, a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not 2"},
		{"a size in two words", "max_size 4 KB", "max_size takes one value, a number of bytes such as 4000, 64KB or 64KiB, and at most 240 KiB, not 2"},
		{"error lists the options", "colour red", "it has absolute_timeout, adopt, anonymous_timeout, "},
		{"error lists the options of the cookie", "cookie {\nflavour sweet\n}", "it has domain, http_only, name, "},
		{"error lists the options of a store", "store memory {\nsize 3\n}", "it has max_bytes, max_sessions"},
		{"a path in the block", "store bolt {\npath /srv/sessions.db\n}", "store bolt: path is no option in the block; it stands behind the name: store bolt <path>"},
		{"a folder in the block", "store file {\ndirectory /srv/sessions\n}", "it stands behind the name: store file <directory>"},
		{"a name in the block", "store memory {\nname one\n}", "it stands behind the name: store memory <name>"},
		{"addresses in the block", "store redis {\naddresses localhost:6379\n}", "it stands behind the name: store redis <address>..."},
		{"what a store with an argument has", "store memory {\nsize 3\n}", "size; it has max_bytes, max_sessions"},
		{"options where there are none", "store bolt {\nsize 3\n}", "unrecognized option of store bolt: size; it has no options"},
		{"invalid pass_through", "cookie {\npass_through 1\n}", "pass_through must be on, off or mark, not"},
		{"no value", "name", "value"},
		{"too many values", "name a b", "value"},
		{"not on or off", "vary maybe", "vary must be on or off, not"},
		{"not a duration", "idle_timeout soon", "idle_timeout must be a duration"},
		{"a duration of nothing", "idle_timeout 0s", "idle_timeout must be a duration"},
		{"not a number", "max_size big", "max_size must be a number of bytes"},
		{"a negative number", "max_size -1", "max_size must be a number"},
		{"neither on nor off to explain", "explain 192.0.2.0/24", "explain must be off, or on and the ranges of the clients' addresses"},
		{"a range beside off", "explain off 192.0.2.0/24", "explain must be off, or on and"},
		{"nothing to explain", "explain", "explain must be off, or on and"},
		{"not a range to explain", "explain on localhost", "explain: invalid IP address: 'localhost'"},
		{"not an error mode", "on_store_error ignore", "on_store_error must be fail or anonymous, not"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + test.options + "\n}"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if !strings.Contains(err.Error(), "Testfile:") {
				t.Errorf("error %q does not say where", err)
			}
		})
	}
}

func TestProvisionErrors(t *testing.T) {
	t.Setenv("SESSION_TEST_EMPTY", "")
	tests := []struct{ name, options, want string }{
		{"secret too short", "secret 0123456789abcde", "secret: key 1 of 1 is 15 bytes long, at least 16"},
		{"older secret too short", "secret 0123456789abcdef short", "key 2 of 2"},
		{"secret that resolves to nothing", "secret {env.SESSION_TEST_EMPTY}", "resolves to nothing"},
		{"secret in a file that is not there", "secret {file./nowhere/key}", "resolves to nothing"},
		{"name with a blank", `name "a b"`, "name must be letters, digits, - and _ only"},
		{"name of a placeholder", "name data", "name of a placeholder"},
		{"invalid header prefix", `header_prefix "X Y"`, "header_prefix"},
		{"scope with a separator", "scope a|b", "scope"},
		{"injected hop-by-hop header", "inject Connection user", "inject: Connection"},
		{"injected Host", "inject host user", "inject: host"},
		{"injected Content-Type", "inject Content-Type user", "inject: Content-Type"},
		{"injected Cookie", "inject Cookie user", "inject: Cookie"},
		{"injected session header", "inject X_Session_Data user", "already in use"},
		{"captured Location", "capture Location user", "capture: Location"},
		{"captured Set-Cookie", "capture Set-Cookie user", "capture: Set-Cookie"},
		{"captured session header", "capture X-Session-Update user", "already in use"},
		{"captured twice in two spellings", "capture X-User a\ncapture X_User b", "captured twice"},
		{"injected twice in two spellings", "inject X-User a\ninject x-user b", "already in use"},
		{"invalid field", "inject X-User a..b", "inject X-User"},
		{"template without its end", `inject X-User "{http.session.data.user"`, "inject X-User: a { without its }"},
		{"template in a template", `inject X-User "{http.{x}}"`, "inject X-User: a { without its }"},
		{"placeholder without a name", `inject X-User "a {} b"`, "inject X-User: the placeholder has no name"},
		{"template with an invalid field", `inject X-User "{http.session.data.a..b}"`, "inject X-User"},
		{"template with raw UTF-8", `inject X-User "über {http.session.data.a}"`, "printable ASCII"},
		{"template over two lines", "inject X-User \"{http.session.data.a}\nX-Evil: 1\"", "printable ASCII"},
		{"captured into an invalid field", "capture X-User a..b", "capture X-User"},
		{"invalid status code", "capture X-User a {\nstatus 20\n}", "capture X-User: status: 20"},
		{"status above 599", "capture X-User a {\nstatus 600\n}", "capture X-User: status: 600"},
		{"all fields and one", "forward * user", "cannot be combined"},
		{"touch interval as long as the idle timeout", "idle_timeout 1m\ntouch_interval 1m", "touch_interval"},
		{"max_size beyond a record", "max_size 300000", "max_size"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := provision(t, "store memory\n"+test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// With a matcher, every request is cleaned.
func TestAdaptMatcher(t *testing.T) {
	const config = `:80 {
	session /app/* {
		inject X-User user
		store memory
	}
	respond ok
}`
	out, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"handler":"subroute","routes":[` +
		`{"handle":[{"cookies":["caddy_session","__Host-caddy_session"],"handler":"session_clean","headers":["X-Session-Data","X-Session-Info","X-Session-Flash","X-Session-Update","X-Session-Control","X-Session-Explain","X-User"],"response_headers":["X-Session-Flash","X-Session-Update","X-Session-Control","X-Session-Explain"]}]},` +
		`{"handle":[{"handler":"session","inject":{"X-User":"user"},"store":{"backend":"memory"}}],"match":[{"path":["/app/*"]}]}]}`
	if !strings.Contains(string(out), want) {
		t.Errorf("the route is not\n%s\nin\n%s", want, out)
	}
}

// Adapting a configuration resolves no secret.
func TestAdaptKeepsSecrets(t *testing.T) {
	t.Setenv("SESSION_TEST_SECRET", "a secret from the environment")
	h := mustProvision(t, "store memory\nsecret {env.SESSION_TEST_SECRET}")
	out, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); strings.Contains(text, "from the environment") || !strings.Contains(text, "{env.SESSION_TEST_SECRET}") {
		t.Errorf("the configuration after provisioning is %s", text)
	}
}
