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

// Holder is the configuration that a store's module belongs to, for what outlives it: a store that configurations share has the
// logger and the settings of the latest one that has won. One that is rejected changes nothing.
type Holder struct {
	logger *zap.Logger

	// untold says that nothing tells which configuration wins, so that every one counts at once.
	untold bool

	mu      sync.Mutex
	waiting []func(context.Context) // for the configuration to win
	won     bool
}

// NewHolder is called by the Provision of a store's module.
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

// Handle implements [caddyevents.Handler]. The apps have started, but Caddy may still reject the configuration, as when it cannot
// get the next one that this one tells it to load. It is the active one when that is over.
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

// active reports whether the configuration with this context is the one that runs. All contexts that are made of a configuration's
// own end with the same channel.
func active(ctx context.Context) bool {
	running := caddy.ActiveContext()
	return running.Context != nil && running.Done() == ctx.Done()
}

// whenWon calls f when the configuration has won. Afterwards it does nothing: who opens a store then is a request that has
// outlived its configuration.
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

// Unusable is called by Provision with what makes a store on this machine certainly unusable: a file that is damaged, or another
// program's, or that may not be read. A reload and "caddy validate" are refused with that error. When Caddy starts it is only
// logged, as all other sites are to work.
func (h *Holder) Unusable(err error) error {
	if err == nil || caddy.ActiveContext().Context != nil || validating() {
		return err
	}
	h.logger.Error("the session store cannot be used; sessions are out of reach until it is mended", zap.Error(err))
	return nil
}

// validating reports whether the configuration is only being validated. Nothing tells but the function that does it, which is
// what "caddy validate" and "caddy adapt --validate" call.
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
