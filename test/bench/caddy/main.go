// Command caddy is the Caddy of the benchmark, with every store, and without the race detector.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memcached"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/mongodb"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/mysql"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
)

func main() { caddycmd.Main() }
