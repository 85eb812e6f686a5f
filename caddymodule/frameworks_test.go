package caddymodule

// The tests of dialects and adopters use those of Flask and PHP. The handler itself imports none.
import (
	_ "github.com/caddy-session/caddy-session/frameworks/flask"
	_ "github.com/caddy-session/caddy-session/frameworks/php"
)
