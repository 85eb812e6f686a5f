package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/check"
)

// spellings are addresses that lead to one app each.
func spellings(t *testing.T) map[string][]string {
	t.Helper()
	t.Setenv("CHECK_PORT", "9000")
	t.Setenv("CHECK_APP", "127.0.0.1:9000")
	dir := t.TempDir()
	linked := filepath.Join(t.TempDir(), "run")
	if err := os.Symlink(dir, linked); err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"this machine": {
			"localhost:9000", "127.0.0.1:9000", "[::1]:9000", ":9000", "0.0.0.0:9000", "[::]:9000", "tcp/localhost:9000", "tcp4/127.0.0.1:9000",
			"tcp6/[::1]:9000", "tcp/:9000", "LOCALHOST:9000", "localhost.:9000", "app.localhost:9000", "[::ffff:127.0.0.1]:9000", "http://localhost:9000",
			"http://127.0.0.1:9000", "h2c://localhost:9000", "https://localhost:9000", "localhost:{env.CHECK_PORT}", ":{env.CHECK_PORT}", "{env.CHECK_APP}", "localhost:{$CHECK_PORT}",
		},
		"the usual port":   {"localhost", "localhost:80", "http://localhost", "http://127.0.0.1", "127.0.0.1"},
		"a port not set":   {"localhost:{env.CHECK_UNSET}", "127.0.0.1:{env.CHECK_UNSET}", ":{env.CHECK_UNSET}"},
		"another machine":  {"app.example.org:9000", "APP.example.org:9000", "tcp/app.example.org:9000", "app.example.org.:9000", "http://app.example.org:9000"},
		"an IPv6 address":  {"[2001:db8::1]:9000", "[2001:DB8:0::1]:9000", "http://[2001:db8::1]:9000"},
		"a socket":         {"unix/" + dir + "/app", "unix/" + dir + "/../" + filepath.Base(dir) + "/app", "unix/" + linked + "/app", "unix//" + dir + "/app", "unix+h2c/" + dir + "/app"},
		"a relative path":  {"unix/run/app", "unix/./run/app"},
		"an abstract name": {"unix/@app"},
		"another socket":   {"unix/" + dir + "/other"},
		"another port":     {"localhost:9001"},
		"another variable": {"localhost:{env.CHECK_UNSET_TOO}"},
	}
}

// bypass is a configuration in which an app is reached with its session and without.
func bypass(directive, guarded, open string) string {
	return site("root /srv\nhandle /app/* {\nsession\n" + directive + " " + guarded + "\n}\nhandle {\n" + directive + " " + open + "\n}")
}

// An app that is reached past its session is found, however its address is written.
func TestSpellingsOfAnAddress(t *testing.T) {
	of := spellings(t)
	for name, same := range of {
		for _, open := range same {
			for _, directive := range []string{"reverse_proxy", "php_fastcgi"} {
				if directive == "php_fastcgi" && strings.Contains(open, "://") {
					continue // it has no schemes
				}
				for _, pair := range [][2]string{{same[0], open}, {open, same[0]}} {
					all := found(t, bypass(directive, pair[0], pair[1]))
					if len(all) != 1 || all[0].Kind != "app_reached_without_session" {
						t.Errorf("%s, %s %s and %s: %v", name, directive, pair[0], pair[1], all)
					} else if lines := all[0].Lines; len(lines) > 0 && !slices.Contains(lines, "Caddyfile:8") && !strings.Contains(pair[1], "+") {
						t.Errorf("%s %s and %s: lines %v", directive, pair[0], pair[1], lines)
					}
				}
			}
		}
		for other, others := range of {
			if other == name {
				continue
			}
			if all := found(t, bypass("reverse_proxy", same[0], others[0])); len(all) > 0 {
				t.Errorf("%s is taken for %s: %v", same[0], others[0], all)
			}
		}
	}
}

// In JSON, an address may be written in further ways.
func TestSpellingsOfAnAddressInJSON(t *testing.T) {
	t.Parallel()
	dial := func(address string) string { return fmt.Sprintf(`"upstreams":[{"dial":%q}]`, address) }
	for _, test := range []struct {
		guarded, open string
		same          bool
	}{
		{dial("localhost:9000"), dial(":9000"), true},
		{dial("tcp/localhost:9000"), dial("[::1]:9000"), true},
		{dial("localhost:9000"), `"upstreams":[{"dial":"app:1"},{"dial":"0.0.0.0:09000"}]`, true},
		{dial("unix//run/app"), dial("unix//run/./app"), true},
		{dial("fd/3"), dial("fd/3"), true},
		{dial("localhost:9000"), dial("udp/localhost:9000"), false},
		{dial("localhost:9000"), `"dynamic_upstreams":{"source":"a","name":"localhost","port":"9000"}`, true},
		{`"dynamic_upstreams":{"name":"app","source":"a"}`, `"dynamic_upstreams":{"source":"a", "name":"app", "port":"80"}`, true},
		{`"dynamic_upstreams":{"name":"_app._tcp","source":"srv"}`, `"dynamic_upstreams":{"source":"srv", "name":"_app._tcp"}`, true},
		{`"dynamic_upstreams":{"name":"_app._tcp","source":"srv"}`, `"dynamic_upstreams":{"source":"srv", "name":"_other._tcp"}`, false},
	} {
		config := `{"apps":{"http":{"servers":{"a":{"routes":[{"match":[{"path":["/app/*"]}],"handle":[{"handler":"session"},{"handler":"reverse_proxy",` + test.guarded +
			`}],"terminal":true},{"handle":[{"handler":"reverse_proxy",` + test.open + `}]}]}}}}}`
		if !json.Valid([]byte(config)) {
			t.Fatal(config)
		}
		if all, err := check.Config([]byte(config), "", nil); err != nil || (len(all) == 1) != test.same {
			t.Errorf("%s and %s: %v, %v", test.guarded, test.open, all, err)
		}
	}
}
