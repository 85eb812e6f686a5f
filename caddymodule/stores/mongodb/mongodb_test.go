package mongodb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

func parse(text string) (*Module, error) {
	s := new(Module)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

// provision loads the module from a Caddyfile.
func provision(tb testing.TB, text string) (*Module, error) {
	tb.Helper()
	s, err := parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: tb.Context()})
	tb.Cleanup(cancel)
	return s, s.Provision(ctx)
}

func mustProvision(tb testing.TB, text string) *Module {
	tb.Helper()
	s, err := provision(tb, text)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	ms := caddy.Duration(time.Millisecond)
	on, off := true, false
	for text, want := range map[string]Module{
		"mongodb mongodb://u:p@h/?tls=true": {URI: "mongodb://u:p@h/?tls=true"},
		"mongodb {env.MONGODB}":             {URI: "{env.MONGODB}"},
		`mongodb mongodb://h {
			database     app
			collection   app.sessions
			create_index on
			key_prefix   app:
			pool_size    4
			dial_timeout 1ms
			timeout      2ms
		}`: {
			URI: "mongodb://h", Database: "app", Collection: "app.sessions", CreateIndex: &on, KeyPrefix: "app:", PoolSize: 4,
			DialTimeout: ms, Timeout: 2 * ms,
		},
		"mongodb mongodb://h {\n create_index off\n}": {URI: "mongodb://h", CreateIndex: &off},
	} {
		got, err := parse(text)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", text, *got, err)
		}
	}
	for text, says := range map[string]string{
		"mongodb":                          "store mongodb: missing value: the uri",
		`mongodb ""`:                       "store mongodb: missing value: the uri",
		"mongodb mongodb://u:to-find@h b":  "store mongodb takes one value, the uri, not 2",
		"mongodb mongodb://h {\n other\n}": "unrecognized option of store mongodb: other",
		"mongodb mongodb://h {\n database a\n database b\n}":    "twice",
		"mongodb mongodb://h {\n database\n}":                   "value",
		"mongodb mongodb://h {\n collection a b\n}":             "value",
		"mongodb mongodb://h {\n create_index yes\n}":           "must be on or off",
		"mongodb mongodb://h {\n pool_size 0\n}":                "must be an integer",
		"mongodb mongodb://h {\n timeout 5\n}":                  "must be a duration",
		"mongodb mongodb://h {\n dial_timeout 1us\n}":           "must be a duration",
		"mongodb mongodb://h {\n create_index on {\n on\n}\n}":  "",
		"mongodb mongodb://h {\n password {\n to-find x\n}\n}":  "unrecognized option of store mongodb: password",
		"mongodb mongodb://h {\n key_prefix \"\"\n timeout 1\n": "value",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Provisioning neither connects nor resolves names, and errors contain no secrets.
func TestProvision(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("MONGODB_PASSWORD", "password")
	t.Setenv("EMPTY", "")
	for text, want := range map[string]string{
		"mongodb mongodb://h.invalid":                                    "mongodb://h.invalid",
		"mongodb mongodb+srv://u:p@h.invalid/":                           "mongodb+srv://u:p@h.invalid/",
		"mongodb mongodb://u:{env.MONGODB_PASSWORD}@h.invalid/":          "mongodb://u:password@h.invalid/",
		"mongodb {file." + file("good", "mongodb://u:p@h.invalid") + "}": "mongodb://u:p@h.invalid",
		"mongodb {file." + file("line", "mongodb://h.invalid\n") + "}":   "mongodb://h.invalid",
	} {
		s := mustProvision(t, text)
		if s.uri != want || !s.opts.CreateIndex {
			t.Errorf("%s: %q, %+v", text, s.uri, s.opts)
		}
		_, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	for text, says := range map[string]string{
		"mongodb {env.NO_SUCH_VARIABLE}": "store mongodb: uri: ",
		"mongodb {env.EMPTY}":            "store mongodb: uri: ",
		"mongodb postgres://u:to-find@h": "store mongodb: uri: it must begin with",
		"mongodb mongodb://u:to:find@h":  "store mongodb: uri: the user name or the password",
		"mongodb {file." + file("bad", "mongodb://u:to-find@h/?journal=x") + "}": "store mongodb: uri: ",
		"mongodb mongodb://h {\n database a.b\n}":                                "store mongodb: database",
		"mongodb mongodb://h {\n collection {env.EMPTY}\n}":                      "store mongodb: collection",
		"mongodb mongodb://h {\n key_prefix ä\n}":                                "store mongodb: key_prefix",
	} {
		if _, err := provision(t, text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "find@") || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, bad := range []*Module{{}, {URI: "mongodb://h", PoolSize: -1}, {URI: "mongodb://h", Timeout: 1}} {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		if err := bad.Provision(ctx); err == nil {
			t.Errorf("%+v: no error", bad)
		}
		cancel()
	}
}

// flask is the layout of Flask-Session.
var flask = layout.MongoDB{Database: "flask_session", Key: "id", Value: "val", Expires: "expiration"}

// Handlers with the same options share connections. Those for an app's sessions are separate.
func TestShared(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	open := func(text string, lifetime time.Duration) any {
		t.Helper()
		s := mustProvision(t, text)
		store, release, err := s.Open()
		if lifetime > 0 {
			store, release, err = s.OpenShared(flask, lifetime)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		return store
	}
	const uri = "mongodb mongodb://shared.invalid"
	own, app := open(uri, 0), open(uri, day)
	if open(uri, 0) != own || open(uri, day) != app || open(uri+" {\ndatabase flask_session\ncreate_index off\n}", day) != app {
		t.Error("two handlers with the same options do not share a store")
	}
	if own == app || open(uri, 2*day) == app || open(uri+" {\ncollection other\n}", day) == app || open(uri+" {\nkey_prefix x\n}", 0) == own {
		t.Error("stores with different options are shared")
	}
	for _, test := range []struct {
		text   string
		layout layout.Layout
		says   string
	}{
		{uri, layout.SQL{}, `store mongodb: the layout layout.SQL is not supported`},
		{uri + " {\nkey_prefix session:\n}", flask, "store mongodb: key_prefix: set it in the block of the dialect"},
		{uri + " {\ncreate_index on\n}", flask, "store mongodb: create_index: the collection and its indexes belong to another program"},
	} {
		if _, _, err := mustProvision(t, test.text).OpenShared(test.layout, day); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// The log has what an operator should know, and no secret. The app's sessions are shared under its
// own names.
func TestReports(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	logs, all := observer.New(zap.InfoLevel)
	p := mongotest.StartProxy(t, server.Addr)
	p.Answer(1, func(request []byte) bool { return bytes.Contains(request, []byte("createIndexes")) },
		bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 13}, {Key: "codeName", Value: "Unauthorized"}, {Key: "errmsg", Value: "to-find"}})
	s := mustProvision(t, "mongodb "+p.URI()+" {\n dial_timeout 1s\n timeout 5s\n}")
	s.holder = stores.Alone(zap.New(logs))
	own, release, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	app, releaseApp, err := s.OpenShared(flask, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(releaseApp)
	if _, err := app.CompareAndSet(t.Context(), "session:k", nil, []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if e, err := own.Get(t.Context(), "session:k"); err != nil || e.Found() {
		t.Errorf("our own sessions are in the app's collection: %v", err)
	}
	other, err := mongodb.Open(server.URI(), mongodb.Options{Database: "flask_session", Layout: &flask, Endless: time.Hour, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if e, err := other.Get(t.Context(), "session:k"); err != nil || string(e.Value) != "one" {
		t.Errorf("got %q, %v", e.Value, err)
	}
	for end := time.Now().Add(10 * time.Second); all.FilterMessageSnippet("create_index off").Len() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the index is not reported")
		}
	}
	server.Kill()
	for range 4 {
		if _, err := own.Get(t.Context(), "k"); err == nil {
			t.Error("no error")
		}
	}
	server.Restart()
	for end := time.Now().Add(10 * time.Second); all.FilterMessage("mongodb is back").Len() == 0; time.Sleep(5 * time.Millisecond) {
		_, _ = own.Get(t.Context(), "k")
		if time.Now().After(end) {
			t.Fatalf("still unreachable: %v", all.All())
		}
	}
	if all.FilterMessageSnippet("unreachable").Len() != 1 || all.Len() != 3 {
		t.Errorf("logged %v", all.All())
	}
	for _, entry := range all.All() {
		if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "to-find") {
			t.Errorf("logged %s", text)
		}
	}
}

// A reload uses a renewed certificate.
func TestRenewedCertificates(t *testing.T) {
	t.Parallel()
	certs, renewed := redistest.NewTLS(t), redistest.NewTLS(t)
	open := func() sessionstore.Store {
		store, release, err := mustProvision(t, "mongodb mongodb://h/?tlsCAFile="+certs.CA).Open()
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
