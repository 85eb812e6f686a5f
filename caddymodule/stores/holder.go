package stores

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

// Holder is the configuration of a store's module. A store that several configurations share uses
// the logger and the settings of the latest active one. A configuration that Caddy rejects changes
// nothing.
type Holder struct {
	logger *zap.Logger

	// untold says that no event will tell that this configuration is active, so that it counts as
	// active at once.
	untold bool

	mu      sync.Mutex
	waiting []func(context.Context) // called once the configuration is active
	won     bool
}

// NewHolder returns the Holder for a store's module. Call it in Provision.
func NewHolder(ctx caddy.Context) *Holder {
	h := &Holder{logger: ctx.Logger()}
	app, err := ctx.AppIfConfigured("events")
	if err == nil {
		err = app.(*caddyevents.App).On("started", h)
	}
	h.untold = err != nil
	return h
}

// Alone returns the Holder of a store that belongs to no configuration.
func Alone(logger *zap.Logger) *Holder { return &Holder{logger: logger, untold: true} }

// Handle implements [caddyevents.Handler]. Now the apps have started, but Caddy may still reject
// the configuration, for example when it cannot load the next one that this one refers to. Only
// after that is the configuration active.
func (h *Holder) Handle(ctx context.Context, _ caddy.Event) error {
	go h.await(ctx)
	return nil
}

func (h *Holder) await(ctx context.Context) {
	for pause := time.Millisecond; !active(ctx); pause = min(2*pause, time.Second) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
	h.mu.Lock()
	waiting := h.waiting
	h.waiting, h.won = nil, true
	h.mu.Unlock()
	for _, f := range waiting {
		f(ctx)
	}
}

// active reports whether the configuration with this context is the running one. All contexts
// derived from a configuration share its Done channel.
func active(ctx context.Context) bool {
	running := caddy.ActiveContext()
	return running.Context != nil && running.Done() == ctx.Done()
}

// whenWon calls f once the configuration is active. If it is active already, f is never called:
// only a request that outlives its configuration opens a store so late.
func (h *Holder) whenWon(f func(context.Context)) {
	if h.untold {
		f(nil)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.won {
		h.waiting = append(h.waiting, f)
	}
}

// WhenActive calls f once the configuration is active.
func (h *Holder) WhenActive(f func()) { h.whenWon(func(context.Context) { f() }) }

// Unusable decides what to do with an error that certainly makes a local store unusable, such as a
// corrupt or unreadable file. Call it in Provision. A reload and "caddy validate" are refused with
// that error. When Caddy starts, the error is only logged, so that the other sites work.
func (h *Holder) Unusable(err error) error {
	if err == nil || caddy.ActiveContext().Context != nil || validating() {
		return err
	}
	h.logger.Error("the session store cannot be used; sessions are unavailable until it is repaired", zap.Error(err))
	return nil
}

// validating reports whether the configuration is only being validated. The only sign of that is
// the calling function, which "caddy validate" and "caddy adapt --validate" use.
func validating() bool {
	callers := make([]uintptr, 4096)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if frame.Function == "github.com/caddyserver/caddy/v2.Validate" {
			return true
		}
		if !more {
			return false
		}
	}
}

// Interface guard
var _ caddyevents.Handler = (*Holder)(nil)
