package memcached

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func parse(text string) (*Module, error) {
	s := new(Module)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

func provision(tb testing.TB, s *Module) error {
	tb.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: tb.Context()})
	tb.Cleanup(cancel)
	return s.Provision(ctx)
}

func TestCaddyfile(t *testing.T) {
	prefix, empty := "a:", ""
	for text, want := range map[string]Module{
		"memcached":             {},
		"memcached a:1 b /c":    {Addresses: []string{"a:1", "b", "/c"}},
		"memcached a {\n}":      {Addresses: []string{"a"}},
		"memcached {env.CACHE}": {Addresses: []string{"{env.CACHE}"}},
		"memcached {\nkey_prefix a:\ntimeout 1s\npool_size 5\n}": {KeyPrefix: &prefix, Timeout: caddy.Duration(time.Second), PoolSize: 5},
		"memcached {\nkey_prefix \"\"\n}":                        {KeyPrefix: &empty},
	} {
		if s, err := parse(text); err != nil || !reflect.DeepEqual(*s, want) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	for text, want := range map[string]string{
		"memcached {\nkey_prefix\n}":              "value",
		"memcached {\nkey_prefix a b\n}":          "value",
		"memcached {\nkey_prefix a\nkey_prefix a": "twice",
		"memcached {\ntimeout 1\n}":               "must be a duration",
		"memcached {\ntimeout 1us\n}":             "must be a duration",
		"memcached {\ntimeout\n}":                 "value",
		"memcached {\npool_size 0\n}":             "integer of at least 1",
		"memcached {\npool_size x\n}":             "integer of at least 1",
		"memcached {\nservers a\n}":               "unrecognized option",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Provisioning neither connects nor resolves names.
func TestProvision(t *testing.T) {
	t.Setenv("CACHE", "cache.invalid:1")
	t.Setenv("EMPTY", "")
	for text, want := range map[string][]string{
		"memcached":                       {"localhost:11211"},
		"memcached {env.CACHE} b":         {"cache.invalid:1", "b:11211"},
		"memcached [::1]:5 ::1 /run/sock": {"[::1]:5", "[::1]:11211", "/run/sock"},
		"memcached unix//run/sock":        {"/run/sock"},
	} {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := provision(t, s); err != nil || !reflect.DeepEqual(s.opts.Addrs, want) || s.opts.KeyPrefix != "session:" {
			t.Errorf("%q: %+v, %v", text, s.opts, err)
		}
		_, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	for text, want := range map[string]string{
		"memcached {env.NO_SUCH_VARIABLE}":                           "address",
		"memcached {env.EMPTY}":                                      "address",
		"memcached a:1 a:1":                                          "twice",
		"memcached memcached://a":                                    "neither host:port",
		"memcached a@b":                                              "neither host:port",
		"memcached user:to-find@host":                                "memcached has no users and passwords",
		"memcached user:to-find@host:11211":                          "memcached has no users and passwords",
		"memcached {\nkey_prefix {sess}:\n}":                         `write literal braces as \{ and \}`,
		"memcached :11211":                                           "neither host:port",
		"memcached {\nkey_prefix \"a b\"\n}":                         "printable",
		"memcached {\nkey_prefix " + strings.Repeat("x", 51) + "\n}": "51 bytes",
		"memcached {\nkey_prefix {env.NO_SUCH_VARIABLE}\n}":          "key_prefix",
	} {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := provision(t, s); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, bad := range []*Module{{PoolSize: -1}, {Timeout: 1}, {Timeout: -1}} {
		if err := provision(t, bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

// Handlers with the same options share connections.
func TestShared(t *testing.T) {
	var all []any
	for _, text := range []string{"memcached a b", "memcached a:11211 b", "memcached a b {\nkey_prefix x:\n}"} {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := provision(t, s); err != nil {
			t.Fatal(err)
		}
		store, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		all = append(all, store)
	}
	if all[0] != all[1] || all[0] == all[2] {
		t.Error("the wrong stores are shared")
	}
}
