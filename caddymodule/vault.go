package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore/vault"
)

func (h *Handler) checkVault() error {
	if _, err := vault.NewPatterns(h.Vault); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

func (h *Handler) provisionVault() (err error) {
	names := disownedNames(h.Vault, h.adopted.cookie)
	if len(names) == 0 && h.cookie.passThrough {
		return nil // the app reads our cookie as it likes
	}
	if h.disowned, err = vault.NewPatterns(names, h.cookie.names.all()...); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if len(h.Vault) == 0 {
		return nil
	}
	if h.vault, err = vault.NewPatterns(h.Vault, h.cookie.names.all()...); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	// Most cookies of old apps end with the browser, and do so in the vault only if its own does.
	h.cookie.permanent = h.Cookie != nil && config.Or(h.Cookie.Permanent, false)
	return nil
}

// clean returns the handler that cleans the requests which a matcher leaves out.
func (h *Handler) clean() *Clean {
	c := &Clean{
		Headers: h.names.guarded(h.Inject), ResponseHeaders: h.names.withheld(h.Capture), Cookies: h.Cookie.namesIn(h.Name),
		Vault: disownedNames(h.Vault, h.adopted.cookie), PassThrough: h.sharedCookie != "",
	}
	if h.Cookie != nil && h.Cookie.PassThrough != "" {
		c.PassThrough = h.Cookie.PassThrough == passOn
	}
	if h.sharedCookie != "" && (h.Cookie == nil || h.Cookie.Name == "") {
		c.Cookies = []string{h.sharedCookie}
	}
	return c
}

// vaultCookies returns the cookies that the session keeps, as the browser would have sent them.
func (x *exchange) vaultCookies() (string, error) {
	if x.h.vault.Empty() || !x.Session.Exists() {
		return "", nil
	}
	cookies, err := x.Session.Vault()
	if err != nil {
		return "", x.forwarding(http.StatusServiceUnavailable, err)
	}
	req := x.vaultRequest()
	if req.Secure && x.forwarded {
		x.r.Header[markHeader] = append(x.r.Header[markHeader], x.h.mark+secureMark)
	}
	return cookies.Header(req, time.Now()), nil
}

// secureMark stands behind the mark of a handler whose request was secure, so that the sub-requests of templates, which
// come through no connection, are too.
const secureMark = "+tls"

// vaultRequest is the request as the browser knows it: handlers before this one may have changed its path.
func (x *exchange) vaultRequest() vault.Request {
	r := x.r
	original, _ := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	req := vault.Request{
		Host:      hostOf(x.host),
		CrossSite: r.Header.Get("Sec-Fetch-Site") == "cross-site",
		TopLevel:  r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document",
	}
	switch original.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		req.Safe = true
	}
	req.Secure = x.secure || vault.Local(req.Host) ||
		x.Virtual && slices.Contains(r.Header[markHeader], x.h.mark+secureMark)
	if req.Path, _, _ = strings.Cut(original.RequestURI, "?"); !strings.HasPrefix(req.Path, "/") && original.URL != nil {
		req.Path = original.URL.EscapedPath() // of a proxy's client, or of templates
	}
	if !strings.HasPrefix(req.Path, "/") {
		req.Path = "/"
	}
	return req
}

// takeCookies takes those cookies out of a response that are kept in the session: the app's own, and
// the vault's. The response is for one client then, though a cache no longer sees it by a Set-Cookie.
func (x *exchange) takeCookies(h http.Header, name string) (adopted, vaulted []string) {
	if x.h.disowned.Empty() {
		return nil, nil
	}
	var kept []string
	for _, line := range h[name] {
		switch {
		case x.h.adopts(line):
			adopted = append(adopted, line)
		case x.h.vault.Match(vault.NameOf(line)):
			vaulted = append(vaulted, line)
		default:
			kept = append(kept, line)
		}
	}
	if len(adopted)+len(vaulted) == 0 {
		return nil, nil
	}
	setLines(h, name, kept)
	uncacheable(h)
	if x.Virtual {
		return nil, nil // as without us: where the response headers go to, no browser sees a cookie
	}
	return adopted, vaulted
}

// ignoreCookies takes out cookies that stand where no browser obeys them.
func (x *exchange) ignoreCookies(h http.Header, name string) {
	if adopted, vaulted := x.takeCookies(h, name); len(adopted)+len(vaulted) > 0 {
		x.h.logger.Warn("a cookie of the session is ignored: it was not in the head of a final response")
	}
}

// received reads the cookies that the vault takes. Those that a browser would refuse, it refuses.
func (x *exchange) received(c *collected) (set []vault.Received) {
	if len(c.vault) == 0 {
		return nil
	}
	req, now := x.vaultRequest(), time.Now()
	for _, line := range c.vault {
		if r, ok := vault.Receive(line, req, now); ok {
			r.NewID = x.newIDFor(&r, c.redirect)
			set = append(set, r)
		} else {
			x.h.logger.Debug("a cookie of the vault is not kept: a browser would refuse it")
		}
	}
	return set
}
