// Package caddysession is what a usual build of Caddy with sessions has: the handler, and all
// stores and frameworks that need no driver of their own.
//
//	xcaddy build --with github.com/caddy-session/caddy-session
//
// The folder caddymodule alone is the handler with sessions of its own in bolt, memory, a folder or
// Redis. Each store with a driver, below caddymodule/stores, and each framework, below frameworks,
// is a package that can be added by itself.
package caddysession

import (
	_ "github.com/caddy-session/caddy-session/caddymodule"
	_ "github.com/caddy-session/caddy-session/frameworks/flask"
	_ "github.com/caddy-session/caddy-session/frameworks/php"
)
