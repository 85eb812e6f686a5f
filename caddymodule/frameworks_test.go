package caddymodule

// The tests of dialects and adopters use those of Flask, which the handler itself does not know.
import _ "github.com/caddy-session/caddy-session/frameworks/flask"
