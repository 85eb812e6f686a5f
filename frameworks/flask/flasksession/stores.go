package flasksession

import (
	"github.com/caddy-session/caddy-session/frameworks/flask/cachelib"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// layouts say how Flask-Session keeps its records in each of the stores that can be shared with it.
var layouts = []layout.Layout{
	layout.Redis{},

	// The flags that pylibmc, python-memcached and pymemcache set for text and for compressed
	// values. Bytes have no flags.
	layout.Memcached{Plain: 1 << 4, Zlib: 1 << 3},

	// The database is the default of SESSION_MONGODB_DB. No index covers "id".
	layout.MongoDB{Database: "flask_session", Key: "id", Value: "val", Expires: "expiration"},

	// Flask-Session 0.6 and later ignores a row without expiry; earlier versions fail on it.
	layout.SQL{
		ID: "id", Key: "session_id", Value: "data", Expires: "expiry", Naive: true,
		Create: map[string][]string{
			"postgres": {`CREATE TABLE IF NOT EXISTS {table} (id serial PRIMARY KEY, {key} varchar(255) UNIQUE, {value} bytea, {expires} timestamp)`},
			// SQLAlchemy creates a BLOB, which holds 64 KiB. To the app, this type is the same.
			"mysql":  {`CREATE TABLE IF NOT EXISTS {table} (id integer NOT NULL AUTO_INCREMENT PRIMARY KEY, {key} varchar(255) UNIQUE, {value} mediumblob, {expires} datetime) ENGINE=InnoDB`},
			"sqlite": {`CREATE TABLE IF NOT EXISTS {table} (id integer NOT NULL PRIMARY KEY, {key} varchar(255) UNIQUE, {value} blob, {expires} datetime)`},
		},
	},

	layout.File{Format: "cachelib", Open: func(f layout.Folder) layout.FolderStore {
		return cachelib.Open(cachelib.Options{Dir: f.Dir, Endless: f.Endless, OnError: f.OnError, OnEvict: f.OnEvict})
	}},
}
