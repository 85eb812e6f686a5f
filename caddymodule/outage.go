package caddymodule

import (
	"errors"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// outageLines is the maximum number of log lines per second and message about a store that is out
// of reach. Otherwise every request would write one.
const outageLines = 5

// outageLogger returns a logger that drops further lines. zap's sampler does the same, with 448 KiB
// of counters for each logger.
func outageLogger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return limited{core, &recent{lines: make(map[string]int)}}
	}))
}

type limited struct {
	zapcore.Core
	recent *recent
}

// With implements [zapcore.Core].
func (s limited) With(fields []zap.Field) zapcore.Core { return limited{s.Core.With(fields), s.recent} }

// Check implements [zapcore.Core].
func (s limited) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !s.Enabled(entry.Level) || s.recent.add(entry) > outageLines {
		return ce
	}
	return s.Core.Check(entry, ce)
}

// recent counts the log lines of the current second by message. There are few messages.
type recent struct {
	mu     sync.Mutex
	second int64
	lines  map[string]int
}

func (r *recent) add(entry zapcore.Entry) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := entry.Time.Unix(); now != r.second {
		clear(r.lines)
		r.second = now
	}
	r.lines[entry.Message]++
	return r.lines[entry.Message]
}

// loggerFor returns the logger for an error of the store. Lines about an unreachable store are
// limited, and lines about damaged records too, each by themselves: with a dialect that does not
// sign ids, a client can request a damaged record as often as it likes.
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
