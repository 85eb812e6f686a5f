package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// provisionParts makes the list of what a session does to requests and responses. The app is told in this order, and what
// it answers is taken in this order: what an adopted app has changed comes before the changes by headers, which see it.
func (h *Handler) provisionParts(ctx caddy.Context) error {
	adopt, err := h.newAdopt(ctx)
	if err != nil {
		return err
	}
	keep, err := h.newVault()
	if err != nil {
		return err
	}
	injected, err := h.newInjected()
	if err != nil {
		return err
	}
	captured, err := h.newCaptured()
	if err != nil {
		return err
	}
	data, err := h.newData()
	if err != nil {
		return err
	}
	h.parts = append(h.parts, injected...)
	if adopt != nil {
		h.parts = append(h.parts, adopt)
	}
	h.parts = append(h.parts, captured...)
	changes := len(h.parts)
	h.parts = append(h.parts,
		data,
		&parts.Flash{Header: h.names.flash, Base64: data.Base64},
		&parts.Control{Info: h.names.info, Header: h.names.control})
	others := len(h.parts)
	if h.cookie.Mark {
		h.parts = append(h.parts, parts.Mark{})
	}
	if keep != nil {
		h.parts = append(h.parts, keep)
	}
	if adopt != nil && adopt.Check != nil {
		h.parts = append(h.parts, parts.Readable{Check: adopt.Check})
	}
	h.ignored = make([]bool, len(h.parts))
	for i := changes; i < others; i++ {
		h.ignored[i] = !config.Or(h.Updates, true)
	}
	h.names.response = newResponseNames()
	for i, p := range h.parts {
		if name := p.Takes(); name != "" {
			h.names.response.Add(name, i+1)
		}
		_, takesCookies := p.(parts.CookieTaker)
		_, choosy := p.(parts.Chooser)
		h.takesCookies, h.choosy = h.takesCookies || takesCookies, h.choosy || choosy
	}
	return h.provisionRegenerateOn(keep)
}

func (h *Handler) newAdopt(ctx caddy.Context) (*parts.Adopt, error) {
	if h.AdoptRaw == nil {
		return nil, nil
	}
	mod, err := ctx.LoadModule(h, "AdoptRaw")
	if err != nil {
		return nil, fmt.Errorf("loading adopt: %w", addons.Explain(err, adopters.Namespace, "kind", h.AdoptRaw))
	}
	adopter, ok := mod.(adopters.Adopter)
	if !ok {
		return nil, fmt.Errorf("module %T is not an adopter", mod)
	}
	p := &parts.Adopt{Form: adopter.Form(), Cookie: adopter.CookieName()}
	switch name := p.Cookie; {
	case h.format.Foreign():
		return nil, errors.New("adopt does not go with a dialect that the app shares: there, its session is ours already")
	case !httpguts.ValidHeaderFieldName(name) || strings.Contains(name, "*"):
		return nil, fmt.Errorf("adopt: %q is not a cookie's name", name)
	case h.cookie.Names.Own(name):
		return nil, fmt.Errorf("adopt: %s is the session's own cookie; name it otherwise: cookie name", name)
	}
	h.adoptedCookie = p.Cookie
	// The app says which sessions outlive the browser.
	h.cookie.Permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	return p, nil
}

func (h *Handler) checkVault() error {
	if _, err := vault.NewPatterns(h.Vault); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

func (h *Handler) newVault() (p *parts.Vault, err error) {
	own, names := h.cookie.Names.All(), disownedNames(h.Vault, h.adoptedCookie)
	if len(names) == 0 && h.cookie.PassThrough {
		return nil, nil // the app reads our cookie as it likes
	}
	if h.disowned, err = vault.NewPatterns(names, own...); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if len(h.Vault) == 0 {
		return nil, nil
	}
	p = new(parts.Vault)
	if p.Names, err = vault.NewPatterns(h.Vault, own...); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	// Most cookies of old apps end with the browser, and do so in the vault only if its own does.
	h.cookie.Permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	return p, nil
}

// disownedNames are the cookies that no client may send: the vault's, and the app's own.
func disownedNames(patterns []string, adopted string) []string {
	if adopted == "" {
		return patterns
	}
	return append(slices.Clone(patterns), adopted)
}

// checkInject is as much as can be said line by line: which placeholders are fields, the handler's name says.
func (h *Handler) checkInject() error {
	for _, name := range slices.Sorted(maps.Keys(h.Inject)) {
		if err := checkHeader("inject", name); err != nil {
			return err
		}
		if _, err := parts.NewInject(name, h.Inject[name], h.placeholders); err != nil {
			return fmt.Errorf("inject %s: %w", name, err)
		}
	}
	return nil
}

func (h *Handler) newInjected() (injected []parts.Part, err error) {
	taken := h.names.own()
	for _, name := range slices.Sorted(maps.Keys(h.Inject)) {
		if err := checkTaken("inject", name, &taken); err != nil {
			return nil, err
		}
		p, err := parts.NewInject(name, h.Inject[name], h.placeholders)
		if err != nil {
			return nil, fmt.Errorf("inject %s: %w", name, err)
		}
		taken.Add(name, ours)
		injected = append(injected, p)
	}
	return injected, nil
}

func (h *Handler) checkCapture() error {
	for _, name := range slices.Sorted(maps.Keys(h.Capture)) {
		if err := checkHeader("capture", name); err != nil {
			return err
		}
		if _, err := parts.NewCaptured(name, h.Capture[name]); err != nil {
			return fmt.Errorf("capture %s: %w", name, err)
		}
	}
	return nil
}

func (h *Handler) newCaptured() (captured []parts.Part, err error) {
	taken := h.names.own()
	var twice wire.Names
	for _, name := range slices.Sorted(maps.Keys(h.Capture)) {
		if twice.Find(name) != 0 {
			return nil, fmt.Errorf("capture: %s is captured twice", name)
		}
		if err := checkTaken("capture", name, &taken); err != nil {
			return nil, err
		}
		p, err := parts.NewCaptured(name, h.Capture[name])
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", name, err)
		}
		twice.Add(name, ours)
		captured = append(captured, p)
	}
	return captured, nil
}

func (h *Handler) newData() (p *parts.SessionData, err error) {
	p = &parts.SessionData{
		Header: h.names.data, Update: h.names.update, Base64: h.Encoding == encodingBase64,
		All: len(h.Forward) == 0 || h.Forward[0] == forwardAll,
	}
	if h.MaxHeaders == 0 {
		p.Limit = max(maxForward, h.MaxSize)
	}
	p.Fields, err = h.forwardFields()
	return p, err
}

// provisionRegenerateOn says what calls for a new id, beside the fields of capture.
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
			return errors.New("regenerate_on vault: no cookies are kept in the session; say which: vault <cookie name>")
		default:
			keep.AnyChange = true
		}
	}
	h.regenerateOn, err = parseFields("regenerate_on", fields)
	return err
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
