// Command all is the Caddy of the tests of the documentation, and of applications with stores of
// their own. It is one of its own, so that no other test waits for the drivers to be compiled.
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
