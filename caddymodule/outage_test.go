package caddymodule

import (
	"fmt"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// A store that is out of reach for minutes does not fill the disk with log lines; what concerns one session is always logged.
func TestOutagesAreLoggedSparingly(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	h := &Handler{logger: zap.New(core)}
	h.outages = outageLogger(h.logger)
	for range 1000 {
		err := fmt.Errorf("loading session: %w", sessionstore.ErrUnavailable)
		h.loggerFor(err).Error("session not loaded", zap.Error(err))
	}
	// The second may end between two of them.
	if n := logs.Len(); n < outageLines || n > 2*outageLines {
		t.Errorf("%d lines", n)
	}
	logs.TakeAll()
	for range 100 {
		err := fmt.Errorf("loading session: %w", sessionstore.ErrRecord)
		h.loggerFor(err).Error("session not loaded", zap.Error(err))
	}
	if n := logs.Len(); n != 100 {
		t.Errorf("%d of 100 lines", n)
	}
}
