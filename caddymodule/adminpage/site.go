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

// site is what the routes of a server keep for the host of a request.
type site struct {
	r      *http.Request
	server *caddyhttp.Server
	kepts  []kept
}

// kept is where a session handler keeps sessions, and the route of the server that it is in.
type kept struct {
	*keep.Store
	scopeOf func(host string) sessionstore.Scope
	route   *caddyhttp.Route
}

// siteOf returns the site of a request: the routes of its server for its host. In a Caddyfile,
// these are those of the site's block.
func siteOf(r *http.Request) *site {
	s := &site{r: r}
	s.server, _ = r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	for _, route := range s.routes(r.Host) {
		routes.Each(s.server, caddyhttp.RouteList{*route}, func(handler caddyhttp.MiddlewareHandler) {
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
		return k.scopeOf(scope.Host) == scope && (scope.Host == "" || slices.Contains(s.routes(scope.Host), k.route))
	})
}

// routes returns the routes that requests to this host may come to. A route that takes all of them
// and is terminal, as that of a site's block is, is the last one.
func (s *site) routes(host string) (all []*caddyhttp.Route) {
	if s.server == nil {
		return nil
	}
	asking := *s.r
	asking.Host = host
	for i := range s.server.Routes {
		route := &s.server.Routes[i]
		serves, always := len(route.MatcherSets) == 0, len(route.MatcherSets) == 0
		for _, set := range route.MatcherSets {
			matches, others := matchHost(set, &asking)
			serves = serves || matches
			always = always || matches && !others
		}
		if serves {
			all = append(all, route)
		}
		if always && route.Terminal {
			break
		}
	}
	return all
}

// matchHost reports whether the matchers of hosts match a request, and whether there are others.
func matchHost(set caddyhttp.MatcherSet, r *http.Request) (matches, others bool) {
	matches = true
	for _, matcher := range set {
		var hosts caddyhttp.MatchHost
		switch m := matcher.(type) {
		case caddyhttp.MatchHost:
			hosts = m
		case *caddyhttp.MatchHost:
			hosts = *m
		default:
			others = true
			continue
		}
		is, err := hosts.MatchWithError(r)
		matches = matches && is && err == nil
	}
	return matches, others
}
