// Command all is the Caddy of tests of the documentation, and of apps with other stores. It is
// separate so that no other test waits until the drivers are compiled.
package main

import (
	"os"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memcached"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/mongodb"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/mysql"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
)

func main() {
	// So that no test waits a minute.
	if interval, err := time.ParseDuration(os.Getenv("SESSION_TEST_LOOK")); err == nil {
		keep.LookInterval = interval
	}
	caddycmd.Main()
}
