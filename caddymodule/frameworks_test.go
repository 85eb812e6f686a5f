package caddymodule

// The tests of dialects and adopters use those of Flask. The handler itself does not import it.
import _ "github.com/caddy-session/caddy-session/frameworks/flask"
