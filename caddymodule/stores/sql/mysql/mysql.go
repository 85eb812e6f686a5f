// Package mysql adds MySQL and MariaDB to the session store module sql.
package mysql

import (
	"github.com/caddy-session/caddy-session/caddymodule/stores/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/mysql"
)

func init() { sql.Register(mysql.Driver) }
