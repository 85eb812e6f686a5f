package keep

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// lease opens and releases the store of a keeper. Caddy calls Cleanup while requests of the old
// configuration are still running, and some begin even later. So the store is released only when
// nothing uses it, and opened again for a late request.
type lease struct {
	opens  func() (sessionstore.Store, func(), error) // see [stores.Module]
	name   string                                     // of the store's module
	opts   sessionstore.Options
	logger *zap.Logger

	mu      sync.Mutex
	store   sessionstore.Store // as it was opened
	manager *sessionstore.Manager
	release func()
	users   int
	cleaned bool
}

// acquire returns the manager, which is valid until done is called.
func (l *lease) acquire() (*sessionstore.Manager, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return nil, err
	}
	l.users++
	return l.manager, nil
}

// open opens the store if it is not open. The caller holds mu.
func (l *lease) open() error {
	if l.manager != nil {
		return nil
	}
	store, release, err := l.opens()
	if err != nil {
		return err
	}
	opts := l.opts
	opts.Go, opts.Ended, opts.OnLimit = l.background, streams.ended, ended.Limit.Inc
	opts.OnEndOthers = func(n int) { ended.Revoked.Add(float64(n)) }
	l.store, l.manager, l.release = store, sessionstore.NewManager(observe(store, l.name), opts), release
	return nil
}

// background runs f, which outlives its request. The caller has acquired the lease.
func (l *lease) background(f func()) {
	l.mu.Lock()
	l.users++
	l.mu.Unlock()
	go func() {
		defer l.done()
		f()
	}()
}

// done ends a use of the manager.
func (l *lease) done() {
	l.mu.Lock()
	l.users--
	release := l.idle()
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// cleanup says that the configuration has ended.
func (l *lease) cleanup() {
	l.mu.Lock()
	l.cleaned = true
	release := l.idle()
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// idle returns the function that releases the store, or nil if the store is still needed. The
// caller holds mu, and must release it before the call, because closing a store takes time.
func (l *lease) idle() func() {
	if l.users > 0 || !l.cleaned || l.manager == nil {
		return nil
	}
	release := l.release
	l.store, l.manager, l.release = nil, nil, nil
	return release
}

// touching is a method that records the use of a session.
type touching = func(*sessionstore.Manager, context.Context, *sessionstore.Session) error

// touch records the use of a session, in its own goroutine, and calls done at the end.
func (l *lease) touch(ctx context.Context, m *sessionstore.Manager, s *sessionstore.Session, how touching) {
	defer l.done()
	l.touched(s, how(m, ctx, s))
}

func (l *lease) touched(s *sessionstore.Session, err error) {
	if err != nil {
		l.logger.Warn("session not touched", zap.String("ref", s.Ref()), zap.Error(err))
	}
}

// touchSoon records the use of v's session in the background.
func (l *lease) touchSoon(v *Visit, how touching) {
	l.mu.Lock()
	l.users++
	l.mu.Unlock()
	go l.touch(detached(v.Request.Context()), v.manager, v.Session, how)
}
