// Package probe is a handler that logs how a response is written through it.
package probe

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(Probe))
	httpcaddyfile.RegisterHandlerDirective("probe", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next() // consume the directive's name
		return new(Probe), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("probe", httpcaddyfile.Before, "basic_auth")
}

// Probe is the handler. It has no options.
type Probe struct{ logger *zap.Logger }

// CaddyModule returns the Caddy module information.
func (*Probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.probe", New: func() caddy.Module { return new(Probe) }}
}

// Provision implements [caddy.Provisioner].
func (p *Probe) Provision(ctx caddy.Context) error {
	p.logger = ctx.Logger()
	return nil
}

func (p *Probe) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	pw := &writer{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	err := next.ServeHTTP(pw, r)
	p.logger.Info("probed", zap.String("path", r.URL.Path), zap.Int64("read_from", pw.readFrom), zap.Int64("written", pw.written))
	return err
}

type writer struct {
	*caddyhttp.ResponseWriterWrapper
	readFrom, written int64
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.ResponseWriterWrapper.Write(p)
	w.written += int64(n)
	return n, err
}

func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.ResponseWriterWrapper.ReadFrom(r)
	w.readFrom += n
	return n, err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Probe)(nil)
	_ caddyhttp.MiddlewareHandler = (*Probe)(nil)
	_ io.ReaderFrom               = (*writer)(nil)
)
