package adminpage

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/caddymodule/internal/routes"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// keeping is implemented by session handlers.
type keeping interface {
	Kept() keep.Keeper
	ScopeOf(host string) sessionstore.Scope
}

// site is what the routes of a server keep for the hosts of a request.
type site struct {
	r     *http.Request
	kepts []kept
}

// kept is where a session handler keeps sessions, and the route of the server that it is in.
type kept struct {
	*keep.Store
	scopeOf func(host string) sessionstore.Scope
	route   *caddyhttp.Route
}

// siteOf returns the site of a request: the routes of its server whose matchers of hosts, if they
// have any, cover its host. In a Caddyfile, these are those of the site's block.
func siteOf(r *http.Request) *site {
	s := &site{r: r}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return s
	}
	for i := range server.Routes {
		route := &server.Routes[i]
		if !serves(route, r, r.Host) {
			continue
		}
		routes.Each(server, caddyhttp.RouteList{*route}, func(handler caddyhttp.MiddlewareHandler) {
			if h, ok := handler.(keeping); ok {
				if store, ok := h.Kept().(*keep.Store); ok {
					s.kepts = append(s.kepts, kept{store, h.ScopeOf, route})
				}
			}
		})
	}
	return s
}

// open opens the stores of the site.
func (s *site) open() (*admin.Opened, error) {
	stores := make([]*keep.Store, 0, len(s.kepts))
	for _, k := range s.kepts {
		stores = append(stores, k.Store)
	}
	return admin.Open(stores, s.covers)
}

// covers reports whether a session of this scope may be one of the site. Several sites may share a
// store.
func (s *site) covers(scope sessionstore.Scope) bool {
	return slices.ContainsFunc(s.kepts, func(k kept) bool {
		return k.scopeOf(scope.Host) == scope && (scope.Host == "" || serves(k.route, s.r, scope.Host))
	})
}

// serves reports whether a route is for this host, as far as its matchers of hosts say.
func serves(route *caddyhttp.Route, r *http.Request, host string) bool {
	asking := *r
	asking.Host = host
	return len(route.MatcherSets) == 0 || slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		return !slices.ContainsFunc(set, func(matcher any) bool {
			var hosts caddyhttp.MatchHost
			switch m := matcher.(type) {
			case caddyhttp.MatchHost:
				hosts = m
			case *caddyhttp.MatchHost:
				hosts = *m
			default:
				return false
			}
			matches, err := hosts.MatchWithError(&asking)
			return err != nil || !matches
		})
	})
}
