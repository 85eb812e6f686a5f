package caddymodule

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// advice says how to tell two conflicting handlers apart.
func advice(a, b *Handler) string {
	switch {
	case a == b:
		return "one handler gets the request twice"
	case a.Name == b.Name:
		return "give one of them another name, or give them matchers that never match the same request"
	case wire.Fold(a.names.data) == wire.Fold(b.names.data):
		return "give one of them another header_prefix"
	default:
		return "give one of them another cookie name"
	}
}

// checkSiblings refuses a list of routes with two conflicting handlers that get every request, such
// as two session directives without a matcher in one block.
func (h *Handler) checkSiblings(ctx caddy.Context) error {
	modules := ctx.Modules()
	if len(modules) < 2 {
		return nil
	}
	var lists []caddyhttp.RouteList
	switch parent := modules[len(modules)-2].(type) {
	case *caddyhttp.Subroute:
		lists = append(lists, parent.Routes)
	case *caddyhttp.App:
		for _, server := range parent.Servers {
			lists = append(lists, server.Routes)
		}
	}
	for _, list := range lists {
		var all []*Handler
		for i := range list {
			all = append(all, unconditional(&list[i])...)
		}
		for i, b := range all {
			for _, a := range all[:i] {
				if wire.Fold(a.names.data) == wire.Fold(b.names.data) || a.Cookie.NamesIn(a.Name).Meet(b.Cookie.NamesIn(b.Name)) {
					return fmt.Errorf("two session directives without a matcher are in one block, so every request reaches both; %s", advice(a, b))
				}
			}
		}
	}
	return nil
}

// unconditional returns the session handlers that get every request of a route: the provisioned
// ones, or, before that, what the JSON says.
func unconditional(route *caddyhttp.Route) (all []*Handler) {
	if route.Group != "" || len(route.MatcherSetsRaw) > 0 || len(route.MatcherSets) > 0 {
		return nil
	}
	for _, handler := range route.Handlers {
		if h, ok := handler.(*Handler); ok {
			all = append(all, h)
		}
	}
	for _, raw := range route.HandlersRaw {
		var kind struct{ Handler string }
		h := new(Handler)
		if json.Unmarshal(raw, &kind) != nil || kind.Handler != "session" || json.Unmarshal(raw, h) != nil || h.block().Check() != nil {
			continue
		}
		h.provisionNames()
		all = append(all, h)
	}
	return all
}
