package caddymodule

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

const (
	encodingJSON   = "json"
	encodingBase64 = "base64"

	onErrorFail      = "fail"
	onErrorAnonymous = "anonymous"

	regenerateOnVault = "vault"

	forwardAll  = "*"
	forwardNone = "none"
)

// Provision implements [caddy.Provisioner]. It reaches no network and writes nothing:
// it runs for "caddy validate" too.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.outages, h.unreadable = outageLogger(h.logger), outageLogger(h.logger)
	if err := h.checkSiblings(ctx); err != nil {
		return err
	}
	if err := h.provisionDialect(ctx); err != nil {
		return err
	}
	cookie := Cookie{}
	if h.Cookie != nil {
		cookie = *h.Cookie
	}
	var err error
	if h.cookie, err = cookie.jar(h.Name, &h.format); err != nil {
		return err
	}
	if err := h.provisionAdopt(ctx); err != nil {
		return err
	}
	for _, step := range []func() error{h.provisionVault, h.provisionNames, h.provisionFields, h.provisionModes, h.provisionScope} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := h.secret.provision(h.Secret, ctx.Storage()); err != nil {
		return err
	}
	if err := h.provisionStore(ctx); err != nil {
		return err
	}
	h.warnOfLength()
	return registerMetrics(ctx.GetMetricsRegistry())
}

// processKey signs what one handler tells another across a sub-request of templates.
var processKey = func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}()

func (h *Handler) provisionNames() error {
	prefix := "X-Session-"
	h.placeholders = "http.session."
	if h.Name != "" {
		if strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return fmt.Errorf("name: %q may hold letters, digits, - and _ only", h.Name)
		}
		if slices.Contains([]string{"exists", "ref", "created", "data", "error"}, h.Name) {
			return fmt.Errorf("name: %q is the name of a placeholder", h.Name)
		}
		prefix += h.Name + "-"
		h.placeholders += h.Name + "."
	}
	if h.HeaderPrefix != "" {
		prefix = h.HeaderPrefix
	}
	if !httpguts.ValidHeaderFieldName(prefix) {
		return fmt.Errorf("header_prefix: %q is not the beginning of a header's name", prefix)
	}
	h.names.set(prefix)
	h.names.request = guard(h.names.guarded(h.Inject))

	mac := hmac.New(sha256.New, processKey)
	mac.Write([]byte(fold(prefix)))
	h.mark = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	return nil
}

func (h *Handler) provisionFields() error {
	if err := h.provisionInject(); err != nil {
		return err
	}
	fields, err := h.provisionCapture()
	if err != nil {
		return err
	}
	for _, field := range h.RegenerateOn {
		switch {
		case field != regenerateOnVault:
			fields = append(fields, field)
		case h.vault.Empty():
			return errors.New("regenerate_on vault: no cookies are kept in the session; say which: vault <cookie name>")
		default:
			h.vaultRegenerates = true
		}
	}
	if h.regenerateOn, err = parseFields("regenerate_on", fields); err != nil {
		return err
	}
	switch {
	case len(h.Forward) == 0 || slices.Equal(h.Forward, []string{forwardAll}):
		h.forwardAll = true
	case slices.Equal(h.Forward, []string{forwardNone}):
	default:
		for _, field := range h.Forward {
			if field == forwardAll || field == forwardNone {
				return fmt.Errorf("forward: %s stands alone", field)
			}
		}
		if h.forward, err = parseFields("forward", h.Forward); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader refuses names that may be neither injected nor captured, and those that are taken.
func checkHeader(option, name string, taken *nameSet) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%s: %q is not a header's name", option, name)
	case reserved(name):
		return fmt.Errorf("%s: %s is not for sessions: it steers the connection, the message or the browser", option, name)
	case taken.find(name).means != none:
		return fmt.Errorf("%s: %s is taken already", option, name)
	default:
		return nil
	}
}

// reserved reports whether a header may be neither injected nor captured.
func reserved(name string) bool {
	switch folded := fold(name); folded {
	case "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
		"trailer", "transfer-encoding", "upgrade", "alt-svc", "host", "location", "cookie", "set-cookie":
		return true
	default:
		return strings.HasPrefix(folded, "content-")
	}
}

func parseFields(option string, fields []string) ([]jsondoc.Path, error) {
	var paths []jsondoc.Path
	for _, field := range fields {
		path, err := jsondoc.ParsePath(field)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", option, field, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (h *Handler) provisionModes() error {
	h.updates, h.vary = isTrue(h.Updates, true), isTrue(h.Vary, true)
	switch h.Encoding {
	case "", encodingJSON:
	case encodingBase64:
		h.base64 = true
	default:
		return fmt.Errorf("encoding: %q is not json or base64", h.Encoding)
	}
	switch h.OnStoreError {
	case "", onErrorFail:
	case onErrorAnonymous:
		h.anonymous = true
	default:
		return fmt.Errorf("on_store_error: %q is not fail or anonymous", h.OnStoreError)
	}
	return nil
}

func (h *Handler) provisionScope() error {
	switch {
	case h.Scope != "":
		if !printable(h.Scope) || strings.Contains(h.Scope, "|") {
			return fmt.Errorf("scope: %q may hold printable ASCII characters without | only", h.Scope)
		}
		h.site = "scope " + h.Scope
	case h.cookie.domain != "":
		h.site = "name " + h.Name + " domain " + h.cookie.domain
	default:
		h.site, h.hostScoped = "name "+h.Name, true
	}
	return nil
}

func (h *Handler) options() (sessionstore.Options, error) {
	opts := sessionstore.Options{
		Codec:            h.format.Codec,
		IdleTimeout:      orDefault(h.IdleTimeout, sessionstore.DefaultIdleTimeout),
		AbsoluteTimeout:  orDefault(h.AbsoluteTimeout, sessionstore.DefaultAbsoluteTimeout),
		RegenerateGrace:  orDefault(h.RegenerateGrace, sessionstore.DefaultRegenerateGrace),
		RegenerateUnused: orDefault(h.RegenerateUnused, sessionstore.DefaultRegenerateUnused),
		StoreTimeout:     orDefault(h.StoreTimeout, sessionstore.DefaultStoreTimeout),
		TouchInterval:    time.Duration(h.TouchInterval),
		MaxSize:          h.MaxSize,
		RegenerateOn:     h.regenerateOn,
		Permanent:        h.cookie.permanent,
		CookieMark:       h.cookie.attributes(),
	}
	if h.format.Lifetime > 0 {
		opts.IdleTimeout = h.format.Lifetime
	}
	for _, d := range []struct {
		option string
		value  time.Duration
	}{
		{"idle_timeout", opts.IdleTimeout}, {"absolute_timeout", opts.AbsoluteTimeout},
		{"regenerate_grace", opts.RegenerateGrace}, {"regenerate_unused", opts.RegenerateUnused},
		{"store_timeout", opts.StoreTimeout},
	} {
		if d.value < time.Millisecond {
			return opts, fmt.Errorf("%s: %s is too short", d.option, d.value)
		}
	}
	if opts.TouchInterval < 0 || opts.TouchInterval >= opts.IdleTimeout {
		return opts, fmt.Errorf("touch_interval: %s must be shorter than the idle timeout, which is %s", opts.TouchInterval, opts.IdleTimeout)
	}
	if h.MaxHeaders < 0 {
		return opts, fmt.Errorf("max_headers: %d is less than nothing", h.MaxHeaders)
	}
	if h.MaxSize < 0 || h.MaxSize > maxMaxSize {
		return opts, fmt.Errorf("max_size: %d is not between 1 and %d bytes", h.MaxSize, maxMaxSize)
	}
	return opts, nil
}

func orDefault(d caddy.Duration, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// Interface guards
var (
	_ caddy.Provisioner  = (*Handler)(nil)
	_ caddy.CleanerUpper = (*Handler)(nil)
)
