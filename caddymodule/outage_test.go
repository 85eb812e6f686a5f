package caddymodule

import (
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Neither a store that is unreachable for minutes nor a client that always requests a damaged
// record fills the disk with log lines. Neither hides the lines of the other. Errors of a single
// change are always logged.
func TestLogLinesOfOutagesAreLimited(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	h := &Handler{logger: zap.New(core)}
	h.outages, h.unreadable = outageLogger(h.logger), outageLogger(h.logger)
	log := func(err error) int {
		for range 1000 {
			err := fmt.Errorf("loading session: %w", err)
			h.loggerFor(err).Error("session not loaded", zap.Error(err))
		}
		return len(logs.TakeAll())
	}
	for _, err := range []error{sessionstore.ErrUnavailable, sessionstore.ErrRecord} {
		// The second may end between two of them.
		if n := log(err); n < outageLines || n > 2*outageLines {
			t.Errorf("%v: %d lines", err, n)
		}
	}
	if n := log(sessionstore.ErrInvalid); n != 1000 {
		t.Errorf("%d of 1000 lines", n)
	}
}
