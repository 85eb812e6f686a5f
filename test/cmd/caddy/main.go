// Command caddy is the Caddy that the tests run: the standard one with the session
// handler. Users build theirs with xcaddy.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session/caddymodule"
)

func main() { caddycmd.Main() }
