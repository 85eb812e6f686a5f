// Command caddy is the standard Caddy with the usual build of the session handler, as the releases
// have it. For other modules in one binary, build with xcaddy.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session"
)

func main() { caddycmd.Main() }
