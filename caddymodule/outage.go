package caddymodule

import (
	"errors"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// outageLines is how many lines in a second, of each message, tell of a store that is out of reach: every request would
// have one.
const outageLines = 5

// outageLogger returns a logger that drops lines beyond those. zap's sampler does the same with 448 KiB of counters.
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

// recent counts the lines of this second by their messages, of which there are few.
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

// loggerFor returns the logger for an error of the store. Those of a store that is out of reach and of records that
// cannot be read drop lines, each on their own: where ids are not signed, a client can ask for such a record as often as
// it likes.
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
