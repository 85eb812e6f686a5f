package sql_test

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

const day = 24 * time.Hour

// flask is the layout of Flask-Session.
var flask = layout.SQL{
	ID: "id", Key: "session_id", Value: "data", Expires: "expiry", Naive: true,
	Create: map[string][]string{"postgres": {`CREATE TABLE {table} ({key} text)`}},
}

// The store shares the rows of an app.
func TestShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := stdsql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE flask_sessions
		(id INTEGER NOT NULL, session_id VARCHAR(255), data BLOB, expiry DATETIME, PRIMARY KEY (id), UNIQUE (session_id))`); err != nil {
		t.Fatal(err)
	}
	const insert = `INSERT INTO flask_sessions (session_id, data, expiry) VALUES (?, ?, ?)`
	const key, value = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f", "\x82\xaa_permanent\xc3\xa3uid\xa6bmakan"
	for id, expiry := range map[string]string{key: "2999-11-14 22:13:20.000000", "session:expired": "2023-11-14 22:13:20.000000"} {
		if _, err := db.ExecContext(t.Context(), insert, id, []byte(value), expiry); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`{"database":"sqlite","dsn":%q,"table":"flask_sessions","timeout":"5s"}`, path)
	store := shared(t, config)
	if shared(t, config) != store {
		t.Error("two handlers with the same options do not share a store")
	}
	s, err := provision(t, config)
	if err != nil {
		t.Fatal(err)
	}
	own, release, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if own == store {
		t.Error("stores with different options are shared")
	}
	if _, err := own.Get(t.Context(), key); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("an app's table was accepted as one of ours: %v", err)
	}

	if e, err := store.Get(t.Context(), key); err != nil || string(e.Value) != value || e.TTL < 365*day || e.TTLUnknown {
		t.Errorf("%v, %v", e, err)
	}
	if e, err := store.Get(t.Context(), "session:expired"); err != nil || e.Found() {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := store.CompareAndSet(t.Context(), key, []byte(value), []byte("\x80"), day); err != nil {
		t.Fatal(err)
	}
	var data []byte
	var expiry string
	if err := db.QueryRowContext(t.Context(), `SELECT data, CAST(expiry AS TEXT) FROM flask_sessions WHERE session_id = ?`, key).Scan(&data, &expiry); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("2006-01-02 15:04:05.000000", expiry)
	if left := time.Until(at); err != nil || string(data) != "\x80" || left > day || left < day-time.Minute {
		t.Errorf("the row holds %q until %s, %v", data, expiry, err)
	}
}

func shared(t *testing.T, config string) sessionstore.Store {
	t.Helper()
	s, err := provision(t, config)
	if err != nil {
		t.Fatal(err)
	}
	store, release, err := s.OpenShared(flask, day)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return store
}

func TestNotShared(t *testing.T) {
	t.Parallel()
	const postgres = `"database":"postgres","dsn":"postgres://u:p@shared.invalid/d"`
	if shared(t, `{`+postgres+`,"table":"app.sessions","sequence":"ids"}`) == shared(t, `{`+postgres+`,"table":"app.sessions"}`) {
		t.Error("stores with different options are shared")
	}
	for _, test := range []struct {
		config string
		layout layout.Layout
		says   string
	}{
		{`{` + postgres + `}`, layout.MongoDB{}, `store sql: the layout layout.MongoDB is not supported`},
		{`{` + postgres + `,"key_prefix":"a:"}`, flask, "store sql: key_prefix: set it in the block of the dialect"},
		{`{` + postgres + `,"sweep_interval":"1m"}`, flask, "store sql: sweep_interval: the app must delete"},
		{`{` + postgres + `,"sequence":"a;b"}`, flask, `store sql: sequence "a;b"`},
		{`{` + postgres + `,"sequence":"a","create_table":true}`, flask, "store sql: create_table: "},
		{`{"database":"sqlite","dsn":"x","create_table":true}`, flask, "store sql: create_table: the app must create its table"},
		{`{` + postgres + `,"sequence":"a"}`, layout.SQL{Key: "k", Value: "v", Expires: "e"}, "store sql: sequence: the app's table has no id column"},
		{`{"database":"sqlite","dsn":"x","sequence":"a"}`, flask, "store sql: sequence: sqlite has none"},
	} {
		s, err := provision(t, test.config)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.OpenShared(test.layout, day); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.config, err)
		}
	}
	s, err := provision(t, `{`+postgres+`,"sequence":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(); err == nil || !strings.Contains(err.Error(), "store sql: sequence: only for the table of an app") {
		t.Errorf("a table of our own accepts a sequence: %v", err)
	}
}
