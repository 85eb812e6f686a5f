package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(Headers))
	httpcaddyfile.RegisterHandlerDirective("bench_headers", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next() // consume the directive's name
		headers := new(Headers)
		if !h.AllArgs(&headers.Data, &headers.Cookie) {
			return nil, h.ArgErr()
		}
		return headers, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_headers", httpcaddyfile.Before, "basic_auth")
}

// Headers is a handler that sets the headers of a request with a session and does nothing else:
// bench_headers <data> <cookie>. What it costs, every handler costs that tells a backend as much.
type Headers struct {
	// Data is the value of X-Session-Data.
	Data string `json:"data,omitempty"`

	// Cookie is what the Cookie header holds without the session's.
	Cookie string `json:"cookie,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Headers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_headers", New: func() caddy.Module { return new(Headers) }}
}

// info is as long as the real one.
const info = `exists, ref="47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", created=@1795318769, expires=@1795405169`

func (h *Headers) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	r.Header["X-Session-Data"] = []string{h.Data}
	r.Header["X-Session-Info"] = []string{info}
	r.Header["Cookie"] = []string{h.Cookie}
	w.Header()["Vary"] = []string{"Cookie"}
	return next.ServeHTTP(w, r)
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Headers)(nil)
