package flasksession

import (
	"github.com/caddy-session/caddy-session/frameworks/flask/cachelib"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// layouts are how Flask-Session keeps its records in each of the stores that we can share with it.
var layouts = []layout.Layout{
	layout.Redis{},

	// The flags of pylibmc, python-memcached and pymemcache: text, and what is compressed. Those of
	// bytes are 0.
	layout.Memcached{Plain: 1 << 4, Zlib: 1 << 3},

	// The database is the default of SESSION_MONGODB_DB. "id" has no index.
	layout.MongoDB{Database: "flask_session", Key: "id", Value: "val", Expires: "expiration"},

	// A row without expiry is not there for Flask-Session since 0.6; former versions fail on it.
	layout.SQL{
		ID: "id", Key: "session_id", Value: "data", Expires: "expiry", Naive: true,
		Create: map[string][]string{
			"postgres": {`CREATE TABLE IF NOT EXISTS {table} (id serial PRIMARY KEY, {key} varchar(255) UNIQUE, {value} bytea, {expires} timestamp)`},
			// SQLAlchemy's own are blobs of 64 KiB at most. To the app this is the same type.
			"mysql":  {`CREATE TABLE IF NOT EXISTS {table} (id integer NOT NULL AUTO_INCREMENT PRIMARY KEY, {key} varchar(255) UNIQUE, {value} mediumblob, {expires} datetime) ENGINE=InnoDB`},
			"sqlite": {`CREATE TABLE IF NOT EXISTS {table} (id integer NOT NULL PRIMARY KEY, {key} varchar(255) UNIQUE, {value} blob, {expires} datetime)`},
		},
	},

	layout.File{Format: "cachelib", Open: func(f layout.Folder) layout.FolderStore {
		return cachelib.Open(cachelib.Options{Dir: f.Dir, Endless: f.Endless, OnError: f.OnError, OnEvict: f.OnEvict})
	}},
}
