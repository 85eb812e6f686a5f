package caddymodule

import (
	"cmp"
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
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	encodingJSON   = "json"
	encodingBase64 = "base64"

	onErrorFail      = "fail"
	onErrorAnonymous = "anonymous"

	streamsEnd  = "end"
	streamsKeep = "keep"
)

// Provision implements [caddy.Provisioner]. It uses no network and writes nothing, because "caddy
// validate" calls it too.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.outages, h.unreadable = outageLogger(h.logger), outageLogger(h.logger)
	h.debug = h.logger.Core().Enabled(zap.DebugLevel)
	if err := h.block().Check(); err != nil {
		return err
	}
	if err := h.checkSiblings(ctx); err != nil {
		return err
	}
	if err := h.provisionDialect(ctx); err != nil {
		return err
	}
	var opts cookie.Options
	if h.Cookie != nil {
		opts = *h.Cookie
	}
	var err error
	if h.cookie, err = opts.Jar(h.Name, &h.format); err != nil {
		return err
	}
	h.provisionNames()
	if err := h.provisionParts(ctx); err != nil {
		return err
	}
	h.provisionScope()
	if err := h.secret.Provision(h.Secret, ctx.Storage()); err != nil {
		return err
	}
	if err := h.provisionStore(ctx); err != nil {
		return err
	}
	h.provisionStreams(ctx)
	if config.Or(h.SerializeRequests, false) && h.storeName == "none" {
		return errors.New("serialize_requests: needs a store")
	}
	h.warnOfLength()
	holder := stores.NewHolder(ctx)
	if err := h.provisionLate(holder); err != nil {
		return err
	}
	holder.WhenActive(h.announce)
	return registerMetrics(ctx.GetMetricsRegistry())
}

// processKey signs the marks in markHeader, which only this process can make.
var processKey = func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}()

// validName reports whether a name can be a part of headers and placeholders.
func validName(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

func (h *Handler) checkName() error {
	if slices.Contains([]string{"exists", "ref", "created", "data", "user", "outcome", "error"}, h.Name) {
		return fmt.Errorf("name: %q is the name of a placeholder", h.Name)
	}
	return nil
}

func (h *Handler) provisionNames() {
	prefix := "X-Session-"
	h.placeholders = "http.session."
	if h.Name != "" {
		prefix += h.Name + "-"
		h.placeholders += h.Name + "."
	}
	if h.HeaderPrefix != "" {
		prefix = h.HeaderPrefix
	}
	h.names.set(prefix)
	h.names.request = guard(h.names.guarded(h.Inject))

	mac := hmac.New(sha256.New, processKey)
	mac.Write([]byte(wire.Fold(prefix)))
	h.mark = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func validScope(text string) bool { return cookie.Printable(text) && !strings.ContainsAny(text, "|{}") }

func (h *Handler) provisionScope() {
	switch {
	case h.Scope != "":
		h.site = "scope " + h.Scope
	case h.cookie.Domain != "":
		h.site = "name " + h.Name + " domain " + h.cookie.Domain
	default:
		h.site, h.hostScoped = "name "+h.Name, true
	}
}

func (h *Handler) options() (sessionstore.Options, error) {
	opts := sessionstore.Options{
		Codec:            h.format.Codec,
		IdleTimeout:      cmp.Or(time.Duration(h.IdleTimeout), sessionstore.DefaultIdleTimeout),
		AbsoluteTimeout:  cmp.Or(time.Duration(h.AbsoluteTimeout), sessionstore.DefaultAbsoluteTimeout),
		RegenerateGrace:  cmp.Or(time.Duration(h.RegenerateGrace), sessionstore.DefaultRegenerateGrace),
		RegenerateUnused: cmp.Or(time.Duration(h.RegenerateUnused), sessionstore.DefaultRegenerateUnused),
		StoreTimeout:     cmp.Or(time.Duration(h.StoreTimeout), sessionstore.DefaultStoreTimeout),
		TouchInterval:    time.Duration(h.TouchInterval),
		MaxSize:          h.MaxSize,
		RegenerateOn:     h.regenerateOn,
		RememberClient:   config.Or(h.RememberClient, false),
		AnonymousTimeout: time.Duration(h.AnonymousTimeout),
		Permanent:        h.cookie.Permanent,
		CookieMark:       h.cookie.Attributes(),
	}
	if h.format.Lifetime > 0 {
		opts.IdleTimeout = h.format.Lifetime
	}
	switch {
	case h.User != nil:
		var err error
		if opts.User, err = h.User.field(); err != nil {
			return opts, err
		}
	case h.AnonymousTimeout != 0:
		return opts, errors.New("anonymous_timeout: needs the option user <field>, which says who has logged in")
	case h.MaxUserSessions != nil:
		return opts, errors.New("max_user_sessions: needs the option user <field>, which says who has logged in")
	}
	if l := h.MaxUserSessions; l != nil {
		opts.MaxUserSessions, opts.RefuseLogins = l.Number, l.AtLimit == limitRefuse
	}
	if opts.TouchInterval >= opts.IdleTimeout {
		return opts, fmt.Errorf("touch_interval: %s must be shorter than the idle timeout, which is %s", opts.TouchInterval, opts.IdleTimeout)
	}
	return opts, nil
}

// Interface guards
var (
	_ caddy.Provisioner  = (*Handler)(nil)
	_ caddy.CleanerUpper = (*Handler)(nil)
)
