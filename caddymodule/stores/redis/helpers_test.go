package redis

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parse parses what follows "store" in a Caddyfile.
func parse(text string) (*Module, error) {
	d := caddyfile.NewTestDispenser(text)
	d.Next()
	d.Prev()
	s := new(Module)
	return s, s.UnmarshalCaddyfile(d)
}

func mustParse(t *testing.T, text string) *Module {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// provision parses and provisions.
func provision(t *testing.T, text string) (*Module, error) {
	t.Helper()
	s := mustParse(t, text)
	return s, s.Provision(newContext(t))
}

func mustProvision(t *testing.T, text string) *Module {
	t.Helper()
	s, err := provision(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newContext(t *testing.T) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return ctx
}

// fails checks that err contains want and no secret.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("no error, want %q", want)
	case !strings.Contains(err.Error(), want):
		t.Errorf("got %q, want %q", err, want)
	case strings.Contains(err.Error(), secret):
		t.Errorf("the error holds the secret: %v", err)
	}
}

const secret = "sEcReT"
