// Command caddy is the Caddy of tests that make the store fail or look at the response writer
// outside of the session handler.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session"
	_ "github.com/caddy-session/caddy-session/test/harness/faulty"
	_ "github.com/caddy-session/caddy-session/test/harness/probe"
)

func main() { caddycmd.Main() }
