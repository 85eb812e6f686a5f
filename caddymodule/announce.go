package caddymodule

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
)

// announce logs what the handler has been set up with, once the configuration is active. For most
// questions of the kind "why is everybody logged out", one of these facts is the answer.
func (h *Handler) announce() {
	h.logger.Info("the session handler has started",
		zap.String("name", h.Name), zap.String("store", h.storeName), zap.String("place", h.place),
		zap.String("dialect", h.dialect), zap.String("secret", h.secretSource()), zap.String("scope", h.scopeText()),
		zap.String("cookie", h.cookie.Describe(false)), zap.String("cookie_over_tls", h.cookie.Describe(true)))
	if h.remote && h.secretSource() == secretGenerated {
		h.logger.Warn("the store is on the network and there is no secret: set the option secret, or let all instances share the storage of Caddy",
			zap.String("store", h.storeName), zap.String("place", h.place))
	}
}

const secretGenerated = keep.StorageKey + " in the storage of Caddy"

// secretSource says where the keys of the session cookie come from.
func (h *Handler) secretSource() string {
	switch n := len(h.Secret); {
	case h.format.Client != nil || h.format.Cookies != nil:
		return "the dialect"
	case n == 1:
		return "the configuration"
	case n > 1:
		return fmt.Sprintf("the configuration, %d keys", n)
	default:
		return secretGenerated
	}
}

// scopeText says which sites share the sessions.
func (h *Handler) scopeText() string {
	switch {
	case h.format.Foreign():
		return "all sites with the secret and the store"
	case h.Scope != "":
		return "the label " + h.Scope
	case h.hostScoped:
		return "each host by itself"
	default:
		return "the domain " + h.cookie.Domain
	}
}
