package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/sessionstore/vault"
)

func (h *Handler) provisionVault() (err error) {
	if len(h.Vault) == 0 {
		return nil
	}
	if h.vault, err = vault.NewPatterns(h.Vault, h.cookie.name); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	// Most cookies of old apps end with the browser, and do so in the vault only if its own does.
	h.cookie.permanent = h.Cookie != nil && isTrue(h.Cookie.Permanent, false)
	return nil
}

// clean returns the handler that cleans the requests which a matcher leaves out.
func (h *Handler) clean() *Clean {
	c := &Clean{Headers: h.names.guarded(h.Inject)}
	if len(h.Vault) > 0 {
		c.Vault, c.Cookie = h.Vault, h.Cookie.nameIn(h.Name)
	}
	return c
}

// disown removes the cookies from the request that a client sends under names of the vault, which
// are the backend's alone. Those that a handler of outer has put there are none of the client's.
func disown(r *http.Request, patterns *vault.Patterns, outer *exchange) {
	if patterns.Empty() || r.Header["Cookie"] == nil {
		return
	}
	removeCookies(r.Header, func(pair string) bool {
		return patterns.Forges(pair) && !outer.vaults(pair)
	})
}

// vaults reports whether a handler that is at work on this request has taken what the client sent under the name of
// this cookie.
func (x *exchange) vaults(pair string) bool {
	for ; x != nil; x = x.outer {
		if !x.ended && x.h.vault.Forges(pair) {
			return true
		}
	}
	return false
}

// forwardVault gives the backend the cookies that the session keeps, as the browser would have sent
// them. They come first, since many servers take the first of a name, and in one line with the client's, since
// FastCGI has room for one only.
func (x *exchange) forwardVault() error {
	if x.h.vault.Empty() || !x.session.Exists() {
		return nil
	}
	cookies, err := x.session.Vault()
	if err != nil {
		x.removeForwarded()
		return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("session %s: %w", x.session.Ref(), err))
	}
	req := x.vaultRequest()
	h := x.r.Header
	if req.Secure && x.forwarded {
		h[markHeader] = append(h[markHeader], x.h.mark+secureMark)
	}
	if x.vaulted = cookies.Header(req, time.Now()); x.vaulted == "" {
		return nil
	}
	h["Cookie"] = []string{strings.Join(append([]string{x.vaulted}, h["Cookie"]...), "; ")}
	return nil
}

// withdrawVault takes back what forwardVault has set.
func (x *exchange) withdrawVault() {
	if x.vaulted == "" {
		return
	}
	h := x.r.Header
	for i, line := range h["Cookie"] {
		before, after, found := strings.Cut(line, x.vaulted)
		if !found {
			continue
		}
		if kept := before + strings.TrimPrefix(after, "; "); kept != "" {
			h["Cookie"][i] = kept
		} else if h["Cookie"] = slices.Delete(h["Cookie"], i, i+1); len(h["Cookie"]) == 0 {
			delete(h, "Cookie")
		}
		return
	}
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
	req.Secure = cameOverTLS(r) || vault.Local(req.Host) ||
		x.virtual && slices.Contains(r.Header[markHeader], x.h.mark+secureMark)
	if req.Path, _, _ = strings.Cut(original.RequestURI, "?"); !strings.HasPrefix(req.Path, "/") && original.URL != nil {
		req.Path = original.URL.EscapedPath() // of a proxy's client, or of templates
	}
	if !strings.HasPrefix(req.Path, "/") {
		req.Path = "/"
	}
	return req
}

// takeVaulted takes those cookies out of a response that belong into the vault. The response is for one client then,
// though a cache no longer sees it by a Set-Cookie.
func (x *exchange) takeVaulted(h http.Header, name string) (taken []string) {
	if x.h.vault.Empty() {
		return nil
	}
	var kept []string
	for _, line := range h[name] {
		if x.h.vault.Match(vault.NameOf(line)) {
			taken = append(taken, line)
		} else {
			kept = append(kept, line)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	if len(kept) == 0 {
		delete(h, name)
	} else {
		h[name] = kept
	}
	uncacheable(h)
	if x.virtual {
		return nil // as without us: where the response headers go to, no browser sees a cookie
	}
	return taken
}

// ignoreVaulted takes out cookies that stand where no browser obeys them.
func (x *exchange) ignoreVaulted(h http.Header, name string) {
	if x.takeVaulted(h, name) != nil {
		x.h.logger.Warn("a cookie of the vault is ignored: it was not in the head of a final response")
	}
}

// received reads the cookies that the vault takes. Those that a browser would refuse, it refuses.
func (x *exchange) received(lines []string) (set []vault.Received) {
	if len(lines) == 0 {
		return nil
	}
	req, now := x.vaultRequest(), time.Now()
	for _, line := range lines {
		if r, ok := vault.Receive(line, req, now); ok {
			set = append(set, r)
		} else {
			x.h.logger.Debug("a cookie of the vault is not kept: a browser would refuse it")
		}
	}
	return set
}
