package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/caddymodule/adminpage"
	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/devices"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/gate"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
)

func init() {
	httpcaddyfile.RegisterDirective("session", parseDirective)
	// Not right before reverse_proxy: handle and route come earlier than that, and session must
	// wrap them.
	httpcaddyfile.RegisterDirectiveOrder("session", httpcaddyfile.Before, "basic_auth")
	// Both directives are registered right before basic_auth, so session_gate comes after session.
	httpcaddyfile.RegisterHandlerDirective("session_gate", gate.Parse)
	httpcaddyfile.RegisterDirectiveOrder("session_gate", httpcaddyfile.Before, "basic_auth")
	// Before handle and route, which may take all requests.
	httpcaddyfile.RegisterHandlerDirective("session_devices", devices.Parse)
	httpcaddyfile.RegisterDirectiveOrder("session_devices", httpcaddyfile.Before, "handle")
	httpcaddyfile.RegisterHandlerDirective("session_admin", adminpage.Parse)
	httpcaddyfile.RegisterDirectiveOrder("session_admin", httpcaddyfile.Before, "handle")
}

// parseDirective makes a route of a session directive. With a matcher it makes two: session_clean
// for every request, then session for those that match.
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
	h.provisionNames()
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
//		user              <field> [authenticate]
//		max_user_sessions <n> [end_oldest | refuse]
//		remember_client   on | off
//		regenerate_on     <field>... | vault
//		idle_timeout      <duration>
//		absolute_timeout  <duration>
//		anonymous_timeout <duration>
//		touch_interval    <duration>
//		regenerate_grace  <duration>
//		regenerate_unused <duration>
//		max_size          <size>
//		max_headers       <size>|off
//		store_timeout     <duration>
//		on_store_error    fail | anonymous
//		streams           end | keep
//		serialize_requests on | off
//		late              <key> [<older key>...] {
//			listen <address>
//			url    <URL>
//		}
//		vary              on | off
//		explain           off | on [<range>...]
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
// Only inject and capture may be repeated. The blocks of capture and late are optional; that of
// capture is a response matcher of Caddy.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.block().Unmarshal(d, "session")
}

// block returns the options. The Caddyfile and the JSON configuration are checked by them.
func (h *Handler) block() config.Options {
	return config.Options{
		"name":   config.Matching(&h.Name, "letters, digits, - and _ only", validName).Also(h.checkName),
		"scope":  config.Matching(&h.Scope, "printable ASCII characters without |, { and } (placeholders do not work here)", validScope),
		"secret": config.Words(&h.Secret),
		"store":  config.Guest(&h.StoreRaw, stores.Namespace, "backend", nil),
		"dialect": config.Guest(&h.DialectRaw, dialects.Namespace, "format", func(module any) {
			if shared, ok := module.(dialects.Shared); ok {
				h.sharedCookie = shared.CookieName()
			}
		}),
		"header_prefix": config.Matching(&h.HeaderPrefix, "the beginning of a header name", httpguts.ValidHeaderFieldName),
		"forward":       parts.ForwardOption(&h.Forward),
		"updates":       config.Given(&h.Updates, config.OnOff),
		"encoding":      config.OneOf(&h.Encoding, encodingJSON, encodingBase64),
		"inject":        parts.InjectOption(&h.Inject),
		"capture":       parts.CaptureOption(&h.Capture),
		"vault":         parts.VaultOption(&h.Vault),
		"adopt": config.Guest(&h.AdoptRaw, adopters.Namespace, "kind", func(module any) {
			if adopter, ok := module.(adopters.Adopter); ok {
				h.adoptedCookie = adopter.CookieName()
			}
		}),
		"user":               userOption(&h.User),
		"remember_client":    config.Given(&h.RememberClient, config.OnOff),
		"max_user_sessions":  userLimitOption(&h.MaxUserSessions),
		"anonymous_timeout":  config.Duration(&h.AnonymousTimeout),
		"regenerate_on":      config.Words(&h.RegenerateOn).Also(h.checkRegenerateOn),
		"idle_timeout":       config.Duration(&h.IdleTimeout),
		"absolute_timeout":   config.Duration(&h.AbsoluteTimeout),
		"touch_interval":     config.Duration(&h.TouchInterval),
		"regenerate_grace":   config.Duration(&h.RegenerateGrace),
		"regenerate_unused":  config.Duration(&h.RegenerateUnused),
		"max_size":           config.Size(&h.MaxSize, maxMaxSize),
		"max_headers":        config.SizeOrOff(&h.MaxHeaders, maxMaxSize),
		"store_timeout":      config.Duration(&h.StoreTimeout),
		"on_store_error":     config.OneOf(&h.OnStoreError, onErrorFail, onErrorAnonymous),
		"streams":            config.OneOf(&h.Streams, streamsEnd, streamsKeep),
		"serialize_requests": config.Given(&h.SerializeRequests, config.OnOff),
		"late":               lateOption(&h.Late),
		"vary":               config.Given(&h.Vary, config.OnOff),
		"explain":            parts.ExplainOption(&h.Explain),
		"cookie":             config.Block(&h.Cookie, "cookie", (*cookie.Options).Block),
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
