// Command caddy is the Caddy of the tests of applications with foreign stores. It is one of its own, so that no other test waits for their drivers to be
// compiled.
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
