package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
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
//		max_size          <bytes>
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
//			pass_through on | off
//			permanent    on | off
//		}
//	}
//
// Only inject and capture may be repeated. The block of capture is that of Caddy's response matchers, and may be left out.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	return eachOption(d, "session", []string{"inject", "capture"}, h.option)
}

// eachOption calls set for every option of a block, none twice but the repeatable.
func eachOption(d *caddyfile.Dispenser, block string, repeatable []string, set func(*caddyfile.Dispenser, string) (known bool, err error)) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] && !slices.Contains(repeatable, option) {
			return d.Errf("%s is given twice", option)
		}
		seen[option] = true
		switch known, err := set(d, option); {
		case !known:
			return d.Errf("unrecognized option of %s: %s", block, option)
		case err != nil:
			return err
		}
	}
	return nil
}

func (h *Handler) option(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "name":
		return true, word(d, &h.Name)
	case "scope":
		return true, word(d, &h.Scope)
	case "secret":
		return true, words(d, &h.Secret)
	case "store":
		_, err := guest(d, stores.Namespace, "backend", &h.StoreRaw)
		return true, err
	case "dialect":
		mod, err := guest(d, dialects.Namespace, "format", &h.DialectRaw)
		if shared, ok := mod.(dialects.Shared); ok {
			h.sharedCookie = shared.CookieName()
		}
		return true, err
	case "header_prefix":
		return true, word(d, &h.HeaderPrefix)
	case "forward":
		return true, words(d, &h.Forward)
	case "updates":
		return true, onOff(d, &h.Updates)
	case "encoding":
		return true, oneOf(d, &h.Encoding, encodingJSON, encodingBase64)
	case "inject":
		return true, pair(d, &h.Inject)
	case "capture":
		return true, captureOption(d, &h.Capture)
	case "vault":
		return true, words(d, &h.Vault)
	case "adopt":
		mod, err := guest(d, adopters.Namespace, "kind", &h.AdoptRaw)
		if adopter, ok := mod.(adopters.Adopter); ok {
			h.adopted.cookie = adopter.CookieName()
		}
		return true, err
	case "regenerate_on":
		return true, words(d, &h.RegenerateOn)
	case "idle_timeout":
		return true, duration(d, &h.IdleTimeout)
	case "absolute_timeout":
		return true, duration(d, &h.AbsoluteTimeout)
	case "touch_interval":
		return true, duration(d, &h.TouchInterval)
	case "regenerate_grace":
		return true, duration(d, &h.RegenerateGrace)
	case "regenerate_unused":
		return true, duration(d, &h.RegenerateUnused)
	case "max_size":
		return true, number(d, &h.MaxSize)
	case "store_timeout":
		return true, duration(d, &h.StoreTimeout)
	case "on_store_error":
		return true, oneOf(d, &h.OnStoreError, onErrorFail, onErrorAnonymous)
	case "vary":
		return true, onOff(d, &h.Vary)
	case "cookie":
		if d.NextArg() {
			return true, d.ArgErr()
		}
		h.Cookie = new(Cookie)
		return true, eachOption(d, "cookie", nil, h.Cookie.option)
	default:
		return false, nil
	}
}

func (c *Cookie) option(d *caddyfile.Dispenser, option string) (known bool, err error) {
	switch option {
	case "name":
		return true, word(d, &c.Name)
	case "domain":
		return true, word(d, &c.Domain)
	case "path":
		return true, word(d, &c.Path)
	case "same_site":
		return true, oneOf(d, &c.SameSite, "lax", "strict", "none")
	case "secure":
		return true, oneOf(d, &c.Secure, secureAuto, secureOn, secureOff)
	case "http_only":
		return true, onOff(d, &c.HTTPOnly)
	case "partitioned":
		return true, plainOnOff(d, &c.Partitioned)
	case "pass_through":
		return true, onOff(d, &c.PassThrough)
	case "permanent":
		return true, onOff(d, &c.Permanent)
	default:
		return false, nil
	}
}

// guest loads the module that an option names, and returns it.
func guest(d *caddyfile.Dispenser, namespace, inlineKey string, raw *json.RawMessage) (any, error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, d.ArgErr()
	}
	name := d.Val()
	id := namespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		if namespace == stores.Namespace {
			return nil, d.Errf("%s %s is not compiled in; build with it: xcaddy build --with %s", option, name, stores.PackageOf(name, d.RemainingArgs()))
		}
		return nil, d.Errf("unrecognized %s: %s", option, name)
	}
	mod, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return nil, err
	}
	*raw = caddyconfig.JSONModuleObject(mod, inlineKey, name, nil)
	return mod, nil
}

func word(d *caddyfile.Dispenser, to *string) error {
	if !d.AllArgs(to) {
		return d.ArgErr()
	}
	if *to == "" {
		return d.Err("an empty value")
	}
	return nil
}

func words(d *caddyfile.Dispenser, to *[]string) error {
	*to = d.RemainingArgs()
	if len(*to) == 0 {
		return d.ArgErr()
	}
	return nil
}

func pair(d *caddyfile.Dispenser, to *map[string]string) error {
	option := d.Val()
	var name, field string
	if !d.AllArgs(&name, &field) {
		return d.ArgErr()
	}
	if _, again := (*to)[name]; again {
		return d.Errf("%s %s is given twice", option, name)
	}
	if *to == nil {
		*to = make(map[string]string)
	}
	(*to)[name] = field
	return nil
}

func oneOf(d *caddyfile.Dispenser, to *string, choices ...string) error {
	option := d.Val()
	if !d.AllArgs(to) {
		return d.ArgErr()
	}
	if slices.Contains(choices, *to) {
		return nil
	}
	return d.Errf("%s must be one of %v, not %q", option, choices, *to)
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
	option := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	value, err := caddy.ParseDuration(text)
	if err != nil || value < time.Millisecond {
		return d.Errf("%s must be a duration of a millisecond or more, such as 90s, 30m, 24h or 7d, not %q", option, text)
	}
	*to = caddy.Duration(value)
	return nil
}

func number(d *caddyfile.Dispenser, to *int) error {
	option := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		return d.Errf("%s must be a number above zero, not %q", option, text)
	}
	*to = value
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ fmt.Stringer          = (*exchange)(nil)
)
