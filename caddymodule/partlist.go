package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/vault"
)

// provisionParts makes the list of parts. Requests and responses pass the parts in this order:
// changes by the session of an adopted app come before changes by headers, so that the headers
// apply to its result.
func (h *Handler) provisionParts(ctx caddy.Context) error {
	inject, err := parts.NewInject(h.Inject, h.placeholders, h.names.own())
	if err != nil {
		return err
	}
	capture, err := parts.NewCapture(h.Capture, h.names.own())
	if err != nil {
		return err
	}
	adopt, readable, err := h.adopt(ctx)
	if err != nil {
		return err
	}
	keep, err := h.keepCookies()
	if err != nil {
		return err
	}
	data := &parts.SessionData{Header: h.names.data, Update: h.names.update, Base64: h.Encoding == encodingBase64}
	if err := data.SetFields(h.Forward); err != nil {
		return err
	}
	if h.MaxHeaders == 0 {
		data.Limit = max(maxForward, h.MaxSize)
	}
	flash := &parts.Flash{Header: h.names.flash, Base64: data.Base64}
	control := &parts.Control{Info: h.names.info, Header: h.names.control}
	if h.explain, err = parts.NewExplain(h.names.explain, h.Explain); err != nil {
		return err
	}
	var mark []parts.Part
	if h.cookie.Mark {
		mark = append(mark, parts.Mark{})
	}
	var user []parts.Part
	if h.User != nil && h.User.Authenticate {
		user = append(user, parts.Authenticate{})
	}

	h.parts = slices.Concat(inject, adopt, capture, []parts.Part{data, flash, control, h.explain, &parts.Late{Header: h.names.lateURL}}, mark, keep, readable, user)

	h.ignored = make([]bool, len(h.parts))
	h.names.response = newResponseNames()
	for i, p := range h.parts {
		if name := p.Takes(); name != "" {
			h.names.response.Add(name, i+1)
		}
		h.ignored[i] = !config.Or(h.Updates, true) && (p == data || p == flash || p == control)
		_, isCookieTaker := p.(parts.CookieTaker)
		_, isChooser := p.(parts.Chooser)
		h.hasCookieTaker, h.hasChooser = h.hasCookieTaker || isCookieTaker, h.hasChooser || isChooser
	}
	return nil
}

// adopt returns the parts for an app whose session is adopted.
func (h *Handler) adopt(ctx caddy.Context) (adopt, readable []parts.Part, err error) {
	if h.AdoptRaw == nil {
		return nil, nil, nil
	}
	mod, err := ctx.LoadModule(h, "AdoptRaw")
	if err != nil {
		return nil, nil, fmt.Errorf("loading adopt: %w", addons.Explain(err, adopters.Namespace, "kind", h.AdoptRaw))
	}
	adopter, ok := mod.(adopters.Adopter)
	if !ok {
		return nil, nil, fmt.Errorf("module %T is not an adopter", mod)
	}
	if h.format.Foreign() {
		return nil, nil, errors.New("adopt cannot be used with the dialect of an app, which shares the app's session already")
	}
	p, err := parts.NewAdopt(adopter, h.cookie.Names.Own)
	if err != nil {
		return nil, nil, err
	}
	h.adoptedCookie = p.Cookie
	// The adopted app decides which sessions outlive the browser.
	h.cookie.Permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	if p.Check != nil {
		readable = append(readable, parts.Readable{Check: p.Check})
	}
	return []parts.Part{p}, readable, nil
}

// keepCookies returns the part of the vault. It also sets the names of the cookies that no client
// may send.
func (h *Handler) keepCookies() (keep []parts.Part, err error) {
	own, names := h.cookie.Names.All(), appCookieNames(h.Vault, h.adoptedCookie)
	if len(names) == 0 && h.cookie.PassThrough {
		return nil, h.provisionRegenerateOn(nil) // the app gets the session cookie as it came
	}
	if h.appCookies, err = vault.NewPatterns(names, own...); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if len(h.Vault) == 0 {
		return nil, h.provisionRegenerateOn(nil)
	}
	p, err := parts.NewVault(h.Vault, own)
	if err != nil {
		return nil, err
	}
	// Most cookies of old apps end with the browser. In the vault they can only do so if the
	// session cookie does.
	h.cookie.Permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	return []parts.Part{p}, h.provisionRegenerateOn(p)
}

// appCookieNames are the names that no client may send: those of the vault, and the cookie of
// adopt.
func appCookieNames(patterns []string, adopted string) []string {
	if adopted == "" {
		return patterns
	}
	return append(slices.Clone(patterns), adopted)
}

const regenerateOnVault = "vault"

func (h *Handler) checkRegenerateOn() error {
	_, err := parts.ParseFields("regenerate_on", slices.DeleteFunc(slices.Clone(h.RegenerateOn), func(field string) bool { return field == regenerateOnVault }))
	return err
}

// provisionRegenerateOn sets the fields whose change needs a new id, including those of capture.
func (h *Handler) provisionRegenerateOn(keep *parts.Vault) (err error) {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(h.Capture)) {
		fields = append(fields, h.Capture[name].Field)
	}
	for _, field := range h.RegenerateOn {
		switch {
		case field != regenerateOnVault:
			fields = append(fields, field)
		case keep == nil:
			return errors.New("regenerate_on vault: needs the option vault <cookie name>")
		default:
			keep.AnyChange = true
		}
	}
	h.regenerateOn, err = parts.ParseFields("regenerate_on", fields)
	return err
}
