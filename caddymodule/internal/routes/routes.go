// Package routes looks through the routes of a running server.
package routes

import (
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Each calls f for every handler in a list of routes, those of subroutes and of named routes too.
func Each(server *caddyhttp.Server, list caddyhttp.RouteList, f func(caddyhttp.MiddlewareHandler)) {
	walk{server: server, f: f}.through(list)
}

type walk struct {
	server   *caddyhttp.Server
	f        func(caddyhttp.MiddlewareHandler)
	invoking []string
}

func (w walk) through(list caddyhttp.RouteList) {
	for i := range list {
		for _, handler := range list[i].Handlers {
			w.f(handler)
			switch h := handler.(type) {
			case *caddyhttp.Subroute:
				w.through(h.Routes)
			case *caddyhttp.Invoke:
				named := w.server.NamedRoutes[h.Name]
				if named == nil || slices.Contains(w.invoking, h.Name) {
					continue
				}
				inner := w
				inner.invoking = append(slices.Clip(w.invoking), h.Name)
				inner.through(caddyhttp.RouteList{*named})
			}
		}
	}
}
