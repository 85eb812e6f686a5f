package sql_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores/sql"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/redistest"
)

func parse(text string) (*sql.Module, error) {
	s := new(sql.Module)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	ms := caddy.Duration(time.Millisecond)
	for text, want := range map[string]sql.Module{
		"sql postgres postgres://u:p@h/d": {Database: "postgres", DSN: "postgres://u:p@h/d"},
		`sql sqlite "/a b.db" {
			table          a.b
			sequence       c
			create_table   on
			key_prefix     app:
			pool_size      4
			dial_timeout   1ms
			timeout        2ms
			max_idle_time  3ms
			max_lifetime   4ms
			sweep_interval 5ms
		}`: {
			Database: "sqlite", DSN: "/a b.db", Table: "a.b", Sequence: "c", CreateTable: true, KeyPrefix: "app:", PoolSize: 4,
			DialTimeout: ms, Timeout: 2 * ms, MaxIdleTime: 3 * ms, MaxLifetime: 4 * ms, SweepInterval: 5 * ms,
		},
		"sql sqlite x {\n create_table off\n}": {Database: "sqlite", DSN: "x"},
	} {
		got, err := parse(text)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", text, *got, err)
		}
	}
}

func TestCaddyfileIsStrict(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"sql":                                   "value",
		"sql postgres":                          "value",
		"sql sqlite a b":                        "value",
		"sql oracle x":                          "postgres, mysql, sqlite",
		"sql postgres://u:password-to-find@h/d": "postgres, mysql, sqlite",
		"sql mysql x": "store sql mysql is not compiled in; build with it: xcaddy build --with " +
			"github.com/caddy-session/caddy-session/caddymodule/stores/sql/mysql",
		"sql sqlite x {\n other\n}":                     "unrecognized option of store sql: other",
		"sql sqlite x {\n table a\n table b\n}":         "twice",
		"sql sqlite x {\n table\n}":                     "value",
		"sql sqlite x {\n table a b\n}":                 "value",
		"sql sqlite x {\n sequence\n}":                  "value",
		"sql sqlite x {\n create_table yes\n}":          "must be on or off",
		"sql sqlite x {\n pool_size 0\n}":               "must be an integer",
		"sql sqlite x {\n timeout 5\n}":                 "must be a duration",
		"sql sqlite x {\n sweep_interval 1us\n}":        "must be a duration",
		"sql sqlite x {\n create_table on {\n on\n}\n}": "",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// provision loads the module as Caddy does.
func provision(t *testing.T, config string) (*sql.Module, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	mod, err := ctx.LoadModuleByID("http.session.stores.sql", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return mod.(*sql.Module), nil
}

func TestRemote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"sql sqlite /sessions.db":                           false,
		"sql postgres postgres://u:p@localhost/d":           false,
		"sql postgres postgres://u:p@localhost,[::1]:1/d":   false,
		"sql postgres postgres://u:p@h/d":                   true,
		"sql postgres postgres://u:p@localhost,192.0.2.1/d": true,
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

// The databases of a server are different places: sessions may move from one to the other, and an
// operator can tell the stores.
func TestPlaceNamesTheDatabase(t *testing.T) {
	t.Setenv("PGDATABASE", "")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	for text, want := range map[string]string{
		"sql postgres postgres://u:secret@h/one":                      "postgres h:5432 database one table sessions",
		"sql postgres \"host=h,i dbname=two user=u password=secret\"": "postgres h:5432,i:5432 database two table sessions",
		"sql postgres postgres://own:secret@h {\n table a.b\n}":       "postgres h:5432 database own table a.b",
		"sql postgres postgres://u:secret@h/one?search_path=b":        "postgres h:5432 database one search_path b table sessions",
		"sql sqlite /no/such/folder/sessions.db":                      "sqlite /no/such/folder/sessions.db table sessions",
	} {
		s, err := parse(text)
		if err == nil {
			err = s.Provision(ctx)
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := s.Place(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// A reload uses a renewed certificate.
func TestRenewedCertificates(t *testing.T) {
	t.Parallel()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	certs, renewed := redistest.NewTLS(t), redistest.NewTLS(t)
	open := func() sessionstore.Store {
		s, err := parse("sql postgres postgres://u@h/d?sslmode=verify-full&sslrootcert=" + certs.CA)
		if err == nil {
			err = s.Provision(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		store, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		return store
	}
	before := open()
	if open() != before {
		t.Error("the same certificate is another store")
	}
	if err := os.Rename(renewed.CA, certs.CA); err != nil {
		t.Fatal(err)
	}
	if open() == before {
		t.Error("the old certificates are still used")
	}
}

func TestProvisioningTouchesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	for _, config := range []string{
		`{"database":"sqlite","dsn":"` + path + `","create_table":true}`,
		`{"database":"postgres","dsn":"postgres://u:p@192.0.2.1/d","create_table":true}`,
	} {
		s, err := provision(t, config)
		if err != nil {
			t.Fatal(err)
		}
		store, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		again, releaseAgain, err := s.Open()
		if err != nil || again != store {
			t.Error("the store is not shared", err)
		}
		releaseAgain()
		release()
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("provisioning created a file")
	}
}

func TestProvisioningErrorsTellNoSecrets(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(secret, []byte("postgres://u:password-to-find@[x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, says := range map[string]string{
		`{"database":"mysql","dsn":"x"}`:                "--with",
		`{"dsn":"x"}`:                                   "postgres, mysql, sqlite",
		`{"database":"sqlite"}`:                         "no dsn",
		`{"database":"sqlite","dsn":"{env.NOT_THERE}"}`: "dsn: the placeholder {env.NOT_THERE} resolves to nothing",
		`{"database":"postgres","dsn":"postgres://u:password-to-find@[x/"}`: "dsn",
		`{"database":"postgres","dsn":"{file.` + secret + `}"}`:             "dsn",
		`{"database":"sqlite","dsn":"x","table":"a;b"}`:                     "table",
		`{"database":"sqlite","dsn":"x","key_prefix":"ä"}`:                  "key_prefix",
		`{"database":"sqlite","dsn":"x","pool_size":-1}`:                    "pool_size",
		`{"database":"sqlite","dsn":"x","timeout":"1us"}`:                   "timeout",
	} {
		_, err := provision(t, config)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%s: %v", config, err)
		}
	}
}
