package config

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/internal/addons"
)

// Peek returns the module of a namespace that raw names under inlineKey, not provisioned. It is nil
// if there is none, or raw is not valid.
func Peek(namespace, inlineKey string, raw json.RawMessage) any {
	var fields map[string]json.RawMessage
	var name string
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields[inlineKey], &name) != nil {
		return nil
	}
	info, err := caddy.GetModule(namespace + "." + name)
	if err != nil {
		return nil
	}
	delete(fields, inlineKey)
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	module := info.New()
	if json.Unmarshal(rest, module) != nil {
		return nil
	}
	return module
}

// Guest is an option that names a module of a namespace. The JSON has the name under inlineKey.
// seen is called with the module, unless it is nil.
func Guest(to *json.RawMessage, namespace, inlineKey string, seen func(module any)) Option {
	return Func(func(d *caddyfile.Dispenser) error {
		option := d.Val()
		if !d.NextArg() {
			return missing(d, option, addons.Known(namespace))
		}
		name := d.Val()
		id := namespace + "." + name
		if _, err := caddy.GetModule(id); err != nil {
			if hint := addons.Hint(id, d.RemainingArgs()...); hint != "" {
				return d.Errf("%s %s %s", option, name, hint)
			}
			return d.Errf("unrecognized %s: %s; %s", option, name, addons.Known(namespace))
		}
		module, err := caddyfile.UnmarshalModule(d, id)
		if err != nil {
			return err
		}
		*to = caddyconfig.JSONModuleObject(module, inlineKey, name, nil)
		if seen != nil {
			seen(module)
		}
		return nil
	})
}
