package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
)

func init() {
	httpcaddyfile.RegisterDirective("session", parseDirective)
	// Not before reverse_proxy: handle and route sort earlier than that, and would not be wrapped.
	httpcaddyfile.RegisterDirectiveOrder("session", httpcaddyfile.Before, "basic_auth")
	// Each comes right before basic_auth, so the later of them behind the other.
	httpcaddyfile.RegisterHandlerDirective("session_gate", parseGate)
	httpcaddyfile.RegisterDirectiveOrder("session_gate", httpcaddyfile.Before, "basic_auth")
}

// parseDirective makes a route of a session directive. With a matcher it becomes two
// in one: the first cleans every request, the second has the session for those that match.
func parseDirective(helper httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !helper.Next() {
		return nil, helper.ArgErr()
	}
	matcher, err := helper.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(helper.Dispenser); err != nil {
		return nil, err
	}
	if matcher == nil {
		return helper.NewRoute(nil, h), nil
	}
	if err := h.provisionNames(); err != nil {
		return nil, helper.WrapErr(err)
	}
	route := func(matchers []caddy.ModuleMap, handler any, name string) caddyhttp.Route {
		return caddyhttp.Route{
			MatcherSetsRaw: matchers,
			HandlersRaw:    []json.RawMessage{caddyconfig.JSONModuleObject(handler, "handler", name, nil)},
		}
	}
	return helper.NewRoute(nil, &caddyhttp.Subroute{Routes: caddyhttp.RouteList{
		route(nil, h.clean(), "session_clean"),
		route([]caddy.ModuleMap{matcher}, h, "session"),
	}}), nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	session [<matcher>] {
//		name              <name>
//		scope             <label>
//		secret            <key> [<older key>...]
//		store             <module> [<args>...] { ... }
//		dialect           <module> [<args>...] { ... }
//		header_prefix     <prefix>
//		forward           * | none | <field>...
//		updates           on | off
//		encoding          json | base64
//		inject            <Header> <field>|<template>
//		capture           <Header> <field> [text|json] {
//			status <code...>
//			header <field> [<value>]
//		}
//		vault             <cookie name pattern>...
//		adopt             <module> { ... }
//		regenerate_on     <field>... | vault
//		idle_timeout      <duration>
//		absolute_timeout  <duration>
//		touch_interval    <duration>
//		regenerate_grace  <duration>
//		regenerate_unused <duration>
//		max_size          <size>
//		max_headers       <size>
//		store_timeout     <duration>
//		on_store_error    fail | anonymous
//		vary              on | off
//		cookie {
//			name         <name>
//			domain       <domain>
//			path         <path>
//			same_site    lax | strict | none
//			secure       auto | on | off
//			http_only    on | off
//			partitioned  on | off
//			pass_through on | off | mark
//			permanent    on | off
//		}
//	}
//
// Only inject and capture may be repeated. The block of capture is that of Caddy's response matchers, and may be left out.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	if err := stores.None(d); err != nil {
		return err
	}
	return stores.Block(d, "session", h.block(d), "inject", "capture")
}

// block says how each option is read.
func (h *Handler) block(d *caddyfile.Dispenser) stores.Options {
	return stores.Options{
		"name":   func() error { return word(d, &h.Name) },
		"scope":  func() error { return word(d, &h.Scope) },
		"secret": func() error { return words(d, &h.Secret) },
		"store": func() error {
			_, err := guest(d, stores.Namespace, "backend", &h.StoreRaw)
			return err
		},
		"dialect": func() error {
			mod, err := guest(d, dialects.Namespace, "format", &h.DialectRaw)
			if shared, ok := mod.(dialects.Shared); ok {
				h.sharedCookie = shared.CookieName()
			}
			return err
		},
		"header_prefix": func() error { return word(d, &h.HeaderPrefix) },
		"forward":       func() error { return words(d, &h.Forward) },
		"updates":       func() error { return onOff(d, &h.Updates) },
		"encoding":      func() error { return oneOf(d, &h.Encoding, encodingJSON, encodingBase64) },
		"inject":        func() error { return pair(d, &h.Inject) },
		"capture":       func() error { return captureOption(d, &h.Capture) },
		"vault":         func() error { return words(d, &h.Vault) },
		"adopt": func() error {
			mod, err := guest(d, adopters.Namespace, "kind", &h.AdoptRaw)
			if adopter, ok := mod.(adopters.Adopter); ok {
				h.adopted.cookie = adopter.CookieName()
			}
			return err
		},
		"regenerate_on":     func() error { return words(d, &h.RegenerateOn) },
		"idle_timeout":      func() error { return duration(d, &h.IdleTimeout) },
		"absolute_timeout":  func() error { return duration(d, &h.AbsoluteTimeout) },
		"touch_interval":    func() error { return duration(d, &h.TouchInterval) },
		"regenerate_grace":  func() error { return duration(d, &h.RegenerateGrace) },
		"regenerate_unused": func() error { return duration(d, &h.RegenerateUnused) },
		"max_size":          func() error { return size(d, &h.MaxSize) },
		"max_headers":       func() error { return size(d, &h.MaxHeaders) },
		"store_timeout":     func() error { return duration(d, &h.StoreTimeout) },
		"on_store_error":    func() error { return oneOf(d, &h.OnStoreError, onErrorFail, onErrorAnonymous) },
		"vary":              func() error { return onOff(d, &h.Vary) },
		"cookie": func() error {
			if err := stores.None(d); err != nil {
				return err
			}
			h.Cookie = new(Cookie)
			return stores.Block(d, "cookie", h.Cookie.block(d))
		},
	}
}

func (c *Cookie) block(d *caddyfile.Dispenser) stores.Options {
	return stores.Options{
		"name":         func() error { return word(d, &c.Name) },
		"domain":       func() error { return word(d, &c.Domain) },
		"path":         func() error { return word(d, &c.Path) },
		"same_site":    func() error { return oneOf(d, &c.SameSite, "lax", "strict", "none") },
		"secure":       func() error { return oneOf(d, &c.Secure, secureAuto, secureOn, secureOff) },
		"http_only":    func() error { return onOff(d, &c.HTTPOnly) },
		"partitioned":  func() error { return plainOnOff(d, &c.Partitioned) },
		"pass_through": func() error { return oneOf(d, &c.PassThrough, passOn, passOff, passMark) },
		"permanent":    func() error { return onOff(d, &c.Permanent) },
	}
}

// guest loads the module that an option names, and returns it.
func guest(d *caddyfile.Dispenser, namespace, inlineKey string, raw *json.RawMessage) (any, error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, d.Errf("%s: a value is missing: %s", option, addons.Known(namespace))
	}
	name := d.Val()
	id := namespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		if hint := addons.Hint(id, d.RemainingArgs()...); hint != "" {
			return nil, d.Errf("%s %s %s", option, name, hint)
		}
		return nil, d.Errf("unrecognized %s: %s; %s", option, name, addons.Known(namespace))
	}
	mod, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return nil, err
	}
	*raw = caddyconfig.JSONModuleObject(mod, inlineKey, name, nil)
	return mod, nil
}

func word(d *caddyfile.Dispenser, to *string) error { return stores.Name(d, to) }

func words(d *caddyfile.Dispenser, to *[]string) error {
	option := d.Val()
	if *to = d.RemainingArgs(); len(*to) == 0 {
		return stores.Missing(d, option, "one or more values")
	}
	return nil
}

func pair(d *caddyfile.Dispenser, to *map[string]string) error {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("%s takes two values, a header and a field or a text in quotes, and not %d", option, len(args))
	}
	name, field := args[0], args[1]
	if _, again := (*to)[name]; again {
		return d.Errf("%s %s is given twice", option, name)
	}
	if *to == nil {
		*to = make(map[string]string)
	}
	(*to)[name] = field
	return nil
}

func oneOf(d *caddyfile.Dispenser, to *string, choices ...string) (err error) {
	option := d.Val()
	right := strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]
	if *to, err = stores.One(d, right); err != nil || slices.Contains(choices, *to) {
		return err
	}
	return d.Errf("%s must be %s, not %q", option, right, *to)
}

func onOff(d *caddyfile.Dispenser, to **bool) error {
	*to = new(bool)
	return plainOnOff(d, *to)
}

func plainOnOff(d *caddyfile.Dispenser, to *bool) error {
	var choice string
	err := oneOf(d, &choice, "on", "off")
	*to = choice == "on"
	return err
}

func duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	return stores.DurationFrom(d, to, time.Millisecond, "a duration of a millisecond or more, such as 90s, 30m, 24h or 7d")
}

func size(d *caddyfile.Dispenser, to *int) error {
	option := d.Val()
	const right = "a number of bytes such as 4000, 4KB or 4KiB"
	text, err := stores.One(d, right)
	if err != nil {
		return err
	}
	value, err := humanize.ParseBytes(text)
	if err != nil || value < 1 || value > maxMaxSize {
		return d.Errf("%s must be %s, from 1 to %d, not %q", option, right, maxMaxSize, text)
	}
	*to = int(value)
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ fmt.Stringer          = (*exchange)(nil)
)
