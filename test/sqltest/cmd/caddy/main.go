// Command caddy is the Caddy of the tests of the SQL stores. It is one of its own, so that no other
// test waits for SQLite to be compiled.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
)

func main() { caddycmd.Main() }
