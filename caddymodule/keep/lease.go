package keep

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// lease is a keeper's hold on its store. Caddy cleans a configuration up while
// requests of it are still under way, and some begin even later, so that the store is
// given back only when nobody uses it, and opened again for a latecomer.
//
// It also looks after the sessions of the requests under way, so that they do not idle out, and are found when they
// get a new id.
type lease struct {
	opens  func() (sessionstore.Store, func(), error) // see [stores.Module]
	name   string                                     // of the store's module
	opts   sessionstore.Options
	logger *zap.Logger

	mu      sync.Mutex
	manager *sessionstore.Manager
	release func()
	users   int
	cleaned bool

	// held are the visits whose sessions are looked after, and refresh is the
	// timer for the first of them that is due, at refreshAt.
	held      map[*Visit]hold
	refresh   *time.Timer
	refreshAt time.Time
}

// hold says how often the session of a visit is looked after, and when next.
type hold struct {
	interval time.Duration
	due      time.Time
}

// acquire returns the manager, which is good until the call of done.
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
	opts.Go = l.background
	l.manager, l.release = sessionstore.NewManager(observe(store, l.name), opts), release
	return nil
}

// background runs what goes on after a request. The caller has acquired the lease.
func (l *lease) background(f func()) {
	l.mu.Lock()
	l.users++
	l.mu.Unlock()
	go func() {
		defer l.done(nil)
		f()
	}()
}

// done ends a use of the manager, and with it hold, if there is a visit.
func (l *lease) done(v *Visit) {
	l.mu.Lock()
	delete(l.held, v)
	l.users--
	release := l.idle()
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// cleanup says that no more requests are to be expected.
func (l *lease) cleanup() {
	l.mu.Lock()
	l.cleaned = true
	release := l.idle()
	l.mu.Unlock()
	if release != nil {
		release()
	}
}

// idle returns what gives the store back, if that is due. The caller holds mu and
// calls it without: closing a store takes time.
func (l *lease) idle() func() {
	if l.users > 0 || !l.cleaned || l.manager == nil {
		return nil
	}
	release := l.release
	l.manager, l.release = nil, nil
	return release
}

// hold looks after the session of v, which has just been loaded, until done.
func (l *lease) hold(v *Visit, interval time.Duration) {
	due := v.Session.Loaded().Add(interval)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[v] = hold{interval, due}
	l.arm(due)
}

// arm sees to it that the timer fires by then. It is left running when nobody is
// held any more: setting it for each request would cost more. The caller holds mu.
func (l *lease) arm(by time.Time) {
	switch {
	case l.refresh == nil:
		l.refresh = time.AfterFunc(time.Until(by), l.refreshDue)
	case l.refreshAt.IsZero() || by.Before(l.refreshAt):
		l.refresh.Reset(time.Until(by))
	default:
		return
	}
	l.refreshAt = by
}

func (l *lease) refreshDue() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refreshAt = time.Time{}
	due := make(map[string]*Visit) // one for each session, by its ref
	for v, h := range l.held {
		if !now.Before(h.due) {
			due[v.Session.Ref()] = v
		}
	}
	for _, v := range due {
		l.users++
		go l.touch(beyond(v.Request.Context()), l.manager, v.Session, (*sessionstore.Manager).Refresh)
	}
	var next time.Time
	for v, h := range l.held {
		if due[v.Session.Ref()] != nil {
			h.due = now.Add(h.interval)
			l.held[v] = h
		}
		if next.IsZero() || h.due.Before(next) {
			next = h.due
		}
	}
	if !next.IsZero() {
		l.arm(next)
	}
}

// touching is a way to record a use of a session.
type touching = func(*sessionstore.Manager, context.Context, *sessionstore.Session) error

// touch runs off the request's path and calls done at its end.
func (l *lease) touch(ctx context.Context, m *sessionstore.Manager, s *sessionstore.Session, how touching) {
	defer l.done(nil)
	if err := how(m, ctx, s); err != nil {
		l.logger.Warn("session not touched", zap.String("ref", s.Ref()), zap.Error(err))
	}
}

// touchSoon records by how that the session of v was used, off the request's path.
func (l *lease) touchSoon(v *Visit, how touching) {
	l.mu.Lock()
	l.users++
	l.mu.Unlock()
	go l.touch(beyond(v.Request.Context()), v.manager, v.Session, how)
}
