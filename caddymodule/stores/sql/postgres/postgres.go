// Package postgres adds PostgreSQL to the session store module sql.
package postgres

import (
	"github.com/caddy-session/caddy-session/caddymodule/stores/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/postgres"
)

func init() { sql.Register(postgres.Driver) }
