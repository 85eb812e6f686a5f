package config

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(new(visitor)) }

type visitor struct {
	Room string `json:"room,omitempty"`
}

func (*visitor) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "test.guests.visitor", New: func() caddy.Module { return new(visitor) }}
}

func (v *visitor) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return Optional(d, "visitor", "the room", &v.Room)
}

func TestGuest(t *testing.T) {
	var raw json.RawMessage
	var seen any
	options := Options{"guest": Guest(&raw, "test.guests", "kind", func(module any) { seen = module })}
	options["store"] = Guest(&raw, "http.session.stores", "backend", nil)
	read := func(text string) error {
		d := caddyfile.NewTestDispenser("thing {\n" + text + "\n}")
		d.Next()
		return options.Read(d, "thing")
	}
	if err := read("guest visitor 12"); err != nil || string(raw) != `{"kind":"visitor","room":"12"}` || seen.(*visitor).Room != "12" {
		t.Errorf("%s, %+v, %v", raw, seen, err)
	}
	for text, want := range map[string]string{
		"guest":             "guest: missing value: available: visitor",
		"guest stranger":    "unrecognized guest: stranger; available: visitor",
		"store sql sqlite":  "store sql is not compiled in; build with it: xcaddy build --with github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite",
		"guest visitor 1 2": "visitor takes at most one value",
	} {
		fails(t, text, read(text), want)
	}
}
