package sql_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/caddymodule/stores/sql"
)

func TestSharedWithAnApp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sqlite")
	module := func(text string) *sql.Store {
		t.Helper()
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		config, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = provision(t, string(config)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	open := func(text string, layout stores.Layout) (any, error) {
		s := module(text)
		store, release, err := s.OpenShared(layout, time.Hour)
		if err == nil {
			t.Cleanup(release)
		}
		return store, err
	}
	s := module("sql sqlite " + path)
	own, release, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	one, err := open("sql sqlite "+path, stores.FlaskSession)
	if err != nil || one == any(own) {
		t.Fatalf("the app's table is taken for ours: %v", err)
	}
	if two, err := open("sql sqlite "+path, stores.FlaskSession); err != nil || two != one {
		t.Errorf("two handlers do not share: %v", err)
	}
	if two, err := open("sql sqlite "+path+" {\ntable others\n}", stores.FlaskSession); err != nil || two == one {
		t.Errorf("what differs is shared: %v", err)
	}
	for text, says := range map[string]string{
		"sql sqlite x {\nkey_prefix app:\n}":                 "key_prefix belongs into the dialect's block",
		"sql sqlite x {\nsequence s\n}":                      "sequence: sqlite has none",
		"sql postgres postgres://h/d {\nsequence \"a b\"\n}": `sequence "a b": a name is`,
	} {
		if _, err := open(text, stores.FlaskSession); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := open("sql sqlite x", "php"); err == nil || !strings.Contains(err.Error(), `it cannot keep sessions as "php" does`) {
		t.Errorf("%v", err)
	}
	if _, _, err := module("sql postgres postgres://h/d {\nsequence s\n}").Open(); err == nil || !strings.Contains(err.Error(), "sequence is for the table of an app") {
		t.Errorf("%v", err)
	}
}
