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

// loggerFor returns the logger for an error of the store. Those of a store that is out of reach and of records that cannot be read drop
// lines, each on their own: where ids are not signed, a client can ask for such a record as often as it likes.
func (h *Handler) loggerFor(err error) *zap.Logger {
	switch {
	case errors.Is(err, sessionstore.ErrRecord):
		return h.unreadable
	case errors.Is(err, sessionstore.ErrUnavailable):
		return h.outages
	default:
		return h.logger
	}
}
