package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/gate"
)

// Invalid options are refused in JSON and in the Caddyfile, with the same words. The Caddyfile's
// errors have file and line.
func TestJSONIsCheckedLikeTheCaddyfile(t *testing.T) {
	const ms = "must be a duration of a millisecond or more"
	for _, tt := range []struct{ caddyfile, json, want string }{
		{`name "a b"`, `"name":"a b"`, `name must be letters, digits, - and _ only, not "a b"`},
		{"name data", `"name":"data"`, `name: "data" is the name of a placeholder`},
		{"scope a|b", `"scope":"a|b"`, "scope must be printable ASCII characters without |"},
		{`header_prefix "X Y"`, `"header_prefix":"X Y"`, "header_prefix must be the beginning of a header name"},
		{"forward * user", `"forward":["*","user"]`, "forward: * cannot be combined"},
		{"forward user none", `"forward":["user","none"]`, "forward: none cannot be combined"},
		{"forward a..b", `"forward":["a..b"]`, "forward a..b: "},
		{"encoding hex", `"encoding":"hex"`, `encoding must be json or base64, not "hex"`},
		{"inject Host a", `"inject":{"Host":"a"}`, "inject: Host cannot be used"},
		{"inject X-A a..b", `"inject":{"X-A":"a..b"}`, "inject X-A: "},
		{`inject X-A "{"`, `"inject":{"X-A":"{"}`, "inject X-A: a { without its }"},
		{"capture Location a", `"capture":{"Location":"a"}`, "capture: Location cannot be used"},
		{"capture X-A a..b", `"capture":{"X-A":"a..b"}`, "capture X-A: "},
		{"capture X-A a xml", `"capture":{"X-A":{"field":"a","format":"xml"}}`, `capture X-A: format must be text or json, not "xml"`},
		{"vault a;b", `"vault":["a;b"]`, `vault: "a;b" is not a cookie name`},
		{"regenerate_on vault a..b\nvault x", `"regenerate_on":["vault","a..b"],"vault":["x"]`, "regenerate_on a..b: "},
		{"idle_timeout 999us", `"idle_timeout":999000`, "idle_timeout " + ms},
		{"absolute_timeout -1s", `"absolute_timeout":"-1s"`, "absolute_timeout " + ms},
		{"touch_interval 1us", `"touch_interval":"1us"`, "touch_interval " + ms},
		{"regenerate_grace -1s", `"regenerate_grace":"-1s"`, "regenerate_grace " + ms},
		{"regenerate_unused 1ns", `"regenerate_unused":1`, "regenerate_unused " + ms},
		{"store_timeout -1s", `"store_timeout":"-1s"`, "store_timeout " + ms},
		{"max_size 245761", `"max_size":245761`, "max_size must be a number of bytes"},
		{"max_size -1", `"max_size":-1`, "max_size must be a number of bytes"},
		{"max_headers 1GB", `"max_headers":1000000000`, "max_headers must be a number of bytes"},
		{"on_store_error wait", `"on_store_error":"wait"`, `on_store_error must be fail or anonymous, not "wait"`},
		{"cookie {\nname a;b\n}", `"cookie":{"name":"a;b"}`, `name must be a cookie name, not "a;b"`},
		{"cookie {\ndomain a_b\n}", `"cookie":{"domain":"a_b"}`, `domain must be a domain name, not "a_b"`},
		{"cookie {\npath a\n}", `"cookie":{"path":"a"}`, `path must be a path that begins with /`},
		{"cookie {\nsame_site no\n}", `"cookie":{"same_site":"no"}`, `same_site must be lax, strict or none, not "no"`},
		{"cookie {\nsecure yes\n}", `"cookie":{"secure":"yes"}`, `secure must be auto, on or off, not "yes"`},
		{"cookie {\npass_through 1\n}", `"cookie":{"pass_through":"1"}`, `pass_through must be on, off or mark, not "1"`},

		{"store memory {\nmax_sessions -1\n}", `"store":{"backend":"memory","max_sessions":-1}`, `max_sessions must be an integer of at least 1, not "-1"`},
		{"store memory {\nmax_bytes -1\n}", `"store":{"backend":"memory","max_bytes":-1}`, "max_bytes must be a number of bytes"},
		{"store file {\nmode 0700\n}", `"store":{"backend":"file","mode":"0700"}`, `mode must be a mode such as 0600, 0640 or 0660, not "0700"`},
		{"store file {\nthreshold -1\n}", `"store":{"backend":"file","threshold":-1}`, `threshold must be an integer of at least 0, not "-1"`},
		{"store redis {\ndb -1\n}", `"store":{"backend":"redis","db":-1}`, `db must be an integer of at least 0, not "-1"`},
		{"store redis {\npool_size -1\n}", `"store":{"backend":"redis","pool_size":-1}`, `pool_size must be an integer of at least 1, not "-1"`},
		{"store redis {\nread_timeout 1us\n}", `"store":{"backend":"redis","read_timeout":"1us"}`, "read_timeout " + ms},
		{"store redis {\nnear_cache {\nmax_bytes -1\n}\n}", `"store":{"backend":"redis","near_cache":{"max_bytes":-1}}`, "max_bytes must be a number of bytes"},

		{"dialect flask {\nsecret a\nlifetime 999ms\n}", `"dialect":{"format":"flask","secret":["a"],"lifetime":"999ms"}`, "lifetime must be a duration of a second or more"},
		{"dialect flask {\nsecret \"\"\n}", `"dialect":{"format":"flask","secret":[""]}`, "secret: "},
		{"dialect flask_session {\nserialization yaml\n}", `"dialect":{"format":"flask_session","serialization":"yaml"}`,
			`serialization must be auto, pickle, msgpack or json, not "yaml"`},
		{"dialect flask_session {\nkey_prefix ü\n}", `"dialect":{"format":"flask_session","key_prefix":"ü"}`, "key_prefix must be at most 72 printable ASCII characters"},
		{"adopt flask {\nsecret \"\"\n}", `"adopt":{"kind":"flask","secret":[""]}`, "secret: "},
	} {
		t.Run(tt.caddyfile, func(t *testing.T) {
			err := new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + tt.caddyfile + "\n}"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Testfile:") {
				t.Errorf("the Caddyfile: %v, want %q with file and line", err, tt.want)
			}
			_, err = newContext(t).LoadModuleByID("http.handlers.session", json.RawMessage("{"+tt.json+"}"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("JSON: %v, want %q", err, tt.want)
			}
		})
	}
}

// The same for session_gate.
func TestTheGateInJSON(t *testing.T) {
	for _, tt := range []struct{ caddyfile, json, want string }{
		{"session_gate a..b /login", `{"field":"a..b","login":"/login"}`, "session_gate: field: "},
		{"session_gate a login", `{"field":"a","login":"login"}`, "session_gate: login: "},
		{"session_gate a /login?next=1", `{"field":"a","login":"/login?next=1"}`, "the parameter next"},
		{"session_gate a /login {\npreflight no\n}", `{"field":"a","login":"/login","preflight":"no"}`, `preflight must be gate or pass, not "no"`},
	} {
		err := new(gate.Gate).UnmarshalCaddyfile(caddyfile.NewTestDispenser(tt.caddyfile))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("%s: %v, want %q with file and line", tt.caddyfile, err, tt.want)
		}
		_, err = newContext(t).LoadModuleByID("http.handlers.session_gate", json.RawMessage(tt.json))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.json, err, tt.want)
		}
	}
}
