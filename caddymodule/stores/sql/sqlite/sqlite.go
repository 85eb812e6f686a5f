// Package sqlite adds SQLite to the session store module sql.
package sqlite

import (
	"github.com/caddy-session/caddy-session/caddymodule/stores/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
)

func init() { sql.Register(sqlite.Driver) }
