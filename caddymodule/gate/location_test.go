package gate

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func newGate(text string) (*Gate, error) {
	g := new(Gate)
	if err := g.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		return nil, err
	}
	return g, g.Provision(caddy.Context{})
}

func TestGateLocation(t *testing.T) {
	for _, test := range []struct{ gate, back, want string }{
		{"session_gate user /login", "/a?b=c&d=é", "/login?next=%2Fa%3Fb%3Dc%26d%3D%C3%A9"},
		{"session_gate user /login", "", "/login"},
		{"session_gate user /login?", "/", "/login?next=%2F"},
		{"session_gate user /login?from=gate#form", "/", "/login?from=gate&next=%2F#form"},
		{"session_gate user /login?from=gate", "", "/login?from=gate"},
		{"session_gate user /login?next=/ {\nparameter back[to]\n}", "/", "/login?next=/&back%5Bto%5D=%2F"},
		{"session_gate user https://login.example.com", "/a", "https://login.example.com?next=%2Fa"},
		{"session_gate user https://login.example.com/in?site=a", "/a", "https://login.example.com/in?site=a&next=%2Fa"},
	} {
		g, err := newGate(test.gate)
		if err != nil {
			t.Errorf("%s: %v", test.gate, err)
			continue
		}
		if got := g.location(test.back); got != test.want {
			t.Errorf("%s, back to %q: %s, want %s", test.gate, test.back, got, test.want)
		}
	}
}
