package moving_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	_ "github.com/caddy-session/caddy-session"
	"github.com/caddy-session/caddy-session/caddymodule/stores/moving"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func parse(text string) (*moving.Module, error) {
	s := new(moving.Module)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*moving.Module{
		"moving {\nfrom bolt\nto redis localhost\n}": {
			FromRaw: json.RawMessage(`{"backend":"bolt"}`), ToRaw: json.RawMessage(`{"addresses":["localhost"],"backend":"redis"}`),
		},
		"moving {\nhold\nto redis {\nkey_prefix shop:\n}\nfrom file /srv/sessions {\nmode 0640\n}\n}": {
			FromRaw: json.RawMessage(`{"backend":"file","directory":"/srv/sessions","mode":"0640"}`),
			ToRaw:   json.RawMessage(`{"backend":"redis","key_prefix":"shop:"}`), Hold: true,
		},
	} {
		got, err := parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s %s %v, %v", text, got.FromRaw, got.ToRaw, got.Hold, err)
			continue
		}
		encoded, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again := new(moving.Module)
		if err := caddy.StrictUnmarshalJSON(encoded, again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: %s, %v", text, encoded, err)
		}
	}
}

// Errors of the Caddyfile, in the nested blocks too, have the file and the line.
func TestCaddyfileErrors(t *testing.T) {
	t.Parallel()
	adapter := caddyconfig.GetAdapter("caddyfile")
	for block, want := range map[string]string{
		"":                                    "store moving needs from, the old store, and to, the new one, at Caddyfile:3",
		"from bolt":                           "store moving needs from, the old store, and to, the new one",
		"from bolt\nfrom file\nto redis":      "store moving: from is given twice",
		"from bolt\nto redis\nhold on":        "hold takes no value, at Caddyfile:6",
		"from bolt\nto redis\nhold\nhold":     "store moving: hold is given twice",
		"from":                                "available: bolt, file",
		"from bolts\nto redis":                "redis, sql, at Caddyfile:4",
		"from bolt\nto redis {\ndb one\n}":    "db must be an integer of at least 0, not \"one\", at Caddyfile:6",
		"from bolt\nto sql mysql u@/d":        "to sql is not compiled in; build with it: xcaddy build --with",
		"from bolt\nto redis\nold_prefix old": "unrecognized option of store moving: old_prefix; it has from, hold, to, at Caddyfile:6",
	} {
		text := ":80 {\nsession {\nstore moving {\n" + block + "\n}\n}\n}\n"
		_, _, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", block, err, want)
		}
	}
	if _, err := parse("moving bolt redis"); err == nil {
		t.Error("arguments are accepted")
	}
}

// validate loads a whole configuration as "caddy validate" does.
func validate(t *testing.T, options string) error {
	t.Helper()
	text := ":0 {\nsession {\n" + options + "\n}\n}\n"
	encoded, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	var cfg *caddy.Config
	if err := caddy.StrictUnmarshalJSON(encoded, &cfg); err != nil {
		return err
	}
	return caddy.Validate(cfg)
}

func TestProvisionErrors(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	if err := os.WriteFile(foreign, []byte(strings.Repeat("no bolt file", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for options, want := range map[string]string{
		"store moving {\nfrom bolt /tmp/a/../b.db\nto bolt /tmp/b.db\n}":            "from and to are the same store: bolt /tmp/b.db",
		"store moving {\nfrom memory\nto memory\n}":                                 "from and to are the same store: memory",
		"store moving {\nfrom redis\nto redis localhost:6379\n}":                    "from and to are the same store: redis",
		"store moving {\nfrom none\nto redis\n}":                                    "from: store none keeps no sessions itself",
		"store moving {\nfrom bolt\nto none\n}":                                     "to: store none keeps no sessions itself",
		"store moving {\nfrom bolt\nto moving {\nfrom memory\nto redis\n}\n}":       "to: store moving keeps no sessions itself",
		"store moving {\nfrom bolt\nto redis localhost {\nkey_prefix \"a b\"\n}\n}": "store moving: to: loading store",
		"store moving {\nfrom bolt " + foreign + "\nto memory\n}":                   "store moving: from: loading store",
		"store moving {\nfrom file\nto redis\n}\ndialect flask_session":             "dialect flask_session cannot be used with store moving, which moves native sessions only",
	} {
		if err := validate(t, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", options, err, want)
		}
	}
	for _, options := range []string{
		"store moving {\nfrom memory\nto memory other\n}",
		"store moving {\nfrom redis\nto redis {\nkey_prefix other:\n}\nhold\n}",
	} {
		if err := validate(t, options); err != nil {
			t.Errorf("%s: %v", options, err)
		}
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"moving {\nfrom bolt\nto redis\n}":                                false,
		"moving {\nfrom bolt\nto redis redis.example.com\n}":              true,
		"moving {\nfrom redis redis.example.com\nto redis localhost\n}":   true,
		"moving {\nfrom file\nto memory\n}":                               false,
		"moving {\nfrom redis localhost\nto redis {\nkey_prefix b:\n}\n}": false,
	} {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Remote() != want {
			t.Errorf("%s: remote is %v", text, !want)
		}
	}
}

// Handlers with the same stores share them, and each is closed after its last use.
func TestOpen(t *testing.T) {
	t.Parallel()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	open := func() (sessionstore.Store, func()) {
		s, err := parse("moving {\nfrom memory from\nto memory to\n}")
		if err == nil {
			err = s.Provision(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Place(); got != "from memory from to memory to" {
			t.Errorf("place %q", got)
		}
		store, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		return store, release
	}
	one, releaseOne := open()
	two, releaseTwo := open()
	if one != two {
		t.Error("two handlers do not share the store")
	}
	if _, err := one.CompareAndSet(t.Context(), "key", nil, []byte("one"), 1e12); err != nil {
		t.Fatal(err)
	}
	releaseOne()
	if e, err := two.Get(t.Context(), "key"); err != nil || !e.Found() {
		t.Error("the store is closed, or empty:", err)
	}
	releaseTwo()
	three, release := open()
	defer release()
	if e, err := three.Get(t.Context(), "key"); err != nil || e.Found() {
		t.Error("the memory has outlived its last use:", err)
	}
}
