package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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

func TestProvisionEveryOption(t *testing.T) {
	t.Setenv("SESSION_TEST_KEY", testSecret)
	if _, err := provision(t, everyOption); err != nil {
		t.Error(err)
	}
}

// The other errors, and what is adapted to JSON, are in test/caddyfile.
func TestStoresThatAreNotCompiledIn(t *testing.T) {
	tests := []struct{ name, options, want string }{
		{"store that is not compiled in", "store memcached localhost", "--with github.com/caddy-session/caddy-session/caddymodule/stores/memcached"},
		{"database that is not compiled in", "store sql postgres postgres://u@h/d", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"},
		{"store of databases that is not compiled in", "store sql postgres://u@h/d", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/<postgres, mysql, sqlite>"},
		{"database that does not exist", "store sql oracle", "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/<postgres, mysql, sqlite>"},
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
