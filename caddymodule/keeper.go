package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// provisionDialect loads the dialect and refuses options that cannot be used with it.
func (h *Handler) provisionDialect(ctx caddy.Context) error {
	h.format = dialects.Format{Codec: sessionstore.Native{}}
	if h.DialectRaw == nil {
		return nil
	}
	mod, err := ctx.LoadModule(h, "DialectRaw")
	if err != nil {
		return fmt.Errorf("loading dialect: %w", addons.Explain(err, dialects.Namespace, "format", h.DialectRaw))
	}
	dialect, ok := mod.(dialects.Dialect)
	if !ok {
		return fmt.Errorf("module %T is not a dialect", mod)
	}
	h.format = dialect.Format()
	if !h.format.Foreign() {
		return nil
	}
	h.dialect = mod.(caddy.Module).CaddyModule().ID.Name()
	for _, refused := range []struct {
		option string
		given  bool
		why    string
	}{
		{"secret", h.Secret != nil, "the app's secret is an option of the dialect"},
		{"scope", h.Scope != "", "the app's sessions have none; the secret of the dialect tells apps apart"},
		{"idle_timeout", h.IdleTimeout != 0, "use lifetime in the dialect's block"},
		{"anonymous_timeout", h.AnonymousTimeout != 0, "use lifetime in the dialect's block"},
		{"max_user_sessions", h.MaxUserSessions != nil, "the app's records do not say who has logged in"},
		{"remember_client", h.RememberClient != nil, "the app's records have no place for it"},
		{"permanent of cookie", h.Cookie != nil && h.Cookie.Permanent != nil, "use permanent in the dialect's block"},
		{"absolute_timeout", h.AbsoluteTimeout != 0, "the app's sessions do not record when they began"},
		{"vault", h.Vault != nil, "the app's records have no place for cookies"},
		{"store", h.StoreRaw != nil && h.format.Client != nil, "its sessions are kept in the cookie"},
		{"late", h.Late != nil && h.format.Client != nil, "its sessions are kept in the cookie, which only a response can set"},
	} {
		if refused.given {
			return fmt.Errorf("%s cannot be used with dialect %s: %s", refused.option, h.dialect, refused.why)
		}
	}
	return nil
}

// provisionStore creates the keeper. Opening the store does no I/O.
func (h *Handler) provisionStore(ctx caddy.Context) error {
	opts, err := h.options()
	if err != nil {
		return err
	}
	if h.format.Client != nil {
		h.storeName, h.place = "none", "the cookie"
		h.keeper = keep.NewCookie(h.format.Client, opts, h.cookie.Names[0])
		return nil
	}
	store, err := h.loadStore(ctx, opts.IdleTimeout)
	if err != nil {
		return err
	}
	h.storeName = store.Kind
	store.Sessions, store.Cookies, store.Logger = opts, h.cookies, h.outages
	k, err := keep.NewStore(store)
	if err != nil {
		return err // and no keeper, which Cleanup would call
	}
	h.keeper = k
	return nil
}

// Kept returns where the sessions are kept.
func (h *Handler) Kept() keep.Keeper { return h.keeper }

// cookies returns what signs and verifies the values of the session cookie.
func (h *Handler) cookies(ctx context.Context) (dialects.Cookies, error) {
	if h.format.Cookies != nil {
		return h.format.Cookies, nil
	}
	return h.secret.Get(ctx)
}

func (h *Handler) loadStore(ctx caddy.Context, lifetime time.Duration) (o keep.StoreOptions, err error) {
	var mod any
	if h.StoreRaw != nil {
		mod, err = ctx.LoadModule(h, "StoreRaw")
	} else {
		mod, err = ctx.LoadModuleByID(stores.Namespace+".bolt", nil)
	}
	if err != nil {
		return o, fmt.Errorf("loading store: %w", addons.Explain(err, stores.Namespace, "backend", h.StoreRaw))
	}
	guest, ok := mod.(stores.Module)
	if !ok {
		return o, fmt.Errorf("module %T is not a session store", mod)
	}
	o.Kind = stores.NameOf(guest)
	o.Place, o.Dialect, o.Site = stores.PlaceOf(mod), cmp.Or(h.dialect, "native"), h.site
	o.Open = guest.Open
	if mover, ok := guest.(stores.Mover); ok {
		if h.dialect != "" {
			return o, fmt.Errorf("dialect %s cannot be used with store %s, which moves native sessions only: use the store of the app", h.dialect, o.Kind)
		}
		from, to := mover.Sides()
		o.Sides = []keep.Side{{Kind: stores.NameOf(from), Place: stores.PlaceOf(from)}, {Kind: stores.NameOf(to), Place: stores.PlaceOf(to)}}
	}
	h.place, h.remote = stores.PlaceOf(mod), stores.Remote(mod)
	if h.format.Layouts != nil {
		if o.Open, err = stores.Shared(guest, o.Kind, h.format.Layouts, lifetime); err != nil {
			return o, fmt.Errorf("dialect %s cannot be used with %w", h.dialect, err)
		}
	}
	return o, nil
}
