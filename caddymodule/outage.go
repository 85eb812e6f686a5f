package caddymodule

import (
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// outageLines is how many lines in a second, of each kind, tell of a store that is out of reach: every request would have one.
const outageLines = 5

// outageLogger returns a logger that drops lines beyond those.
func outageLogger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, outageLines, 0)
	}))
}

// loggerFor returns the logger for an error of the store: one for what concerns a single session, and one that drops
// lines for what concerns all of them.
func (h *Handler) loggerFor(err error) *zap.Logger {
	if errors.Is(err, sessionstore.ErrUnavailable) && !errors.Is(err, sessionstore.ErrRecord) {
		return h.outages
	}
	return h.logger
}
