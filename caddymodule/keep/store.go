package keep

import (
	"context"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// StoreOptions are the options of a [Store].
type StoreOptions struct {
	// Open opens the store and returns it with a function that releases it. See [stores.Module].
	Open func() (sessionstore.Store, func(), error)

	// About describes the store to operators. Its kind is for metrics and traces too.
	About

	// Sessions are the options of the sessions.
	Sessions sessionstore.Options

	// Cookies returns what signs and verifies the values of the session cookie.
	Cookies func(context.Context) (dialects.Cookies, error)

	// Logger logs when the use of a session could not be recorded.
	Logger *zap.Logger
}

// Store keeps sessions in a store. The session cookie holds an id.
type Store struct {
	lease
	about   About
	cookies func(context.Context) (dialects.Cookies, error)
}

// NewStore opens the store. That does no I/O.
func NewStore(o StoreOptions) (*Store, error) {
	k := &Store{lease: lease{opens: o.Open, name: o.Kind, opts: o.Sessions, logger: o.Logger}, about: o.About, cookies: o.Cookies}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.open(); err != nil {
		return nil, err
	}
	operated.add(k)
	return k, nil
}

// Options implements [Keeper].
func (k *Store) Options() sessionstore.Options { return k.opts }

// Cleanup implements [Keeper]. The last visit releases the store.
func (k *Store) Cleanup() {
	operated.remove(k)
	k.cleanup()
}

// Enter implements [Keeper].
func (k *Store) Enter(v *Visit) (err error) {
	v.manager, err = k.acquire()
	return err
}

// Leave implements [Keeper].
func (k *Store) Leave(v *Visit) {
	if v.manager != nil {
		v.manager = nil
		k.done()
	}
}

// Find implements [Keeper].
func (k *Store) Find(v *Visit) error {
	if err := k.find(v); err != nil {
		return err
	}
	if !v.Session.Exists() {
		return nil
	}
	v.place = v.Session.Place()
	if v.Session.TouchDue() {
		k.touchSoon(v, (*sessionstore.Manager).Touch)
		v.Touched = true
	}
	k.hold(v, v.Session, v.manager.RefreshInterval(v.Session))
	return nil
}

func (k *Store) find(v *Visit) (err error) {
	if len(v.Cookies) == 0 {
		if v.Ref == "" || v.manager.Foreign() { // in an app's store, no key can be made from a ref
			return nil
		}
		v.Session, err = v.manager.LoadRef(v.Request.Context(), v.Ref, v.Scope)
		v.learn(v.Session)
		return err
	}
	v.Finding = Forged
	cookies, err := k.cookies(v.Request.Context())
	if err != nil {
		return err
	}
	v.signed = nil
	for _, value := range v.Cookies {
		if s, ok := verify(value, cookies, v.manager); ok {
			v.signed = append(v.signed, s)
		}
	}
	v.Verified = len(v.signed)
	return k.lookUp(v)
}

// lookUp loads the sessions that the cookies name, until it finds one. Sessions with a successor
// come last: an attacker may have planted an old id in a cookie with a longer path, which browsers
// send first.
func (k *Store) lookUp(v *Visit) error {
	for i := range v.signed[:min(len(v.signed), MaxCookies)] {
		c := &v.signed[i]
		s, err := v.manager.LoadKnown(v.Request.Context(), c.id, c.ref, v.Scope, v.Browser)
		if err != nil {
			v.Session, v.Ref = Nobody, c.ref
			return err
		}
		v.learn(s)
		if !s.Exists() || s.Former() && v.Session.Exists() {
			continue
		}
		s.NoCookie, s.Client = v.Virtual, v.Client
		v.Session, v.id, v.Stale = s, c.id, c.stale
		if !s.Former() {
			break
		}
	}
	return nil
}

// signed is the content of a valid cookie.
type signed struct {
	id    string
	ref   string
	stale bool // an older key has signed it
}

// maxValue is more than the length of any signed value. Longer values are not hashed.
const maxValue = 256

// verify returns the content of a cookie's value. ok is false if its signature is wrong or it holds
// no valid id.
func verify(value string, cookies dialects.Cookies, m *sessionstore.Manager) (s signed, ok bool) {
	if len(value) > maxValue {
		return signed{}, false
	}
	id, stale, ok := cookies.Verify(value)
	if !ok || !m.ValidID(id) {
		return signed{}, false
	}
	return signed{id, sessionstore.Ref(id), stale}, true
}

// Save implements [Keeper].
func (k *Store) Save(v *Visit, change *sessionstore.Change, app []string) (Outcome, error) {
	// The change is saved even if the client closes the connection: the app has already answered.
	ctx := context.WithoutCancel(v.Request.Context())
	// Without a key there can be no cookie, so the change must fail before anything is saved.
	cookies, err := k.cookies(ctx)
	if err != nil {
		return Outcome{}, err
	}
	session, err := v.target(ctx, app, cookies)
	if err != nil {
		return Outcome{}, err
	}
	if change.Destroy {
		change.First = func(ctx context.Context) error { return k.endOthers(ctx, v) }
	}
	if session == nil {
		if change.Destroy {
			err = change.First(ctx)
		}
		return Outcome{Outcome: sessionstore.Outcome{Result: sessionstore.Dropped}}, err
	}
	out, err := v.manager.Commit(ctx, session, change)
	if err != nil {
		return Outcome{}, err
	}
	v.place = out.Place
	if h := v.held; out.Refresh > 0 && (h == nil || h.key != out.Place.Key || h.interval != out.Refresh) {
		v.LetGo()
		k.hold(v, sessionstore.Later(v.place, v.Scope, out.Ref, v.Session), out.Refresh)
	}
	o := Outcome{Outcome: out}
	if out.Cookie == sessionstore.CookieSet {
		o.Value = cookies.Sign(out.ID)
	}
	return o, nil
}

// target returns the session that the change applies to: the request's session, or a new one. If
// the app has set a valid session cookie, it is the session of that cookie. It is nil if that
// session does not exist, or if the app has set an invalid cookie and there is no other session.
func (v *Visit) target(ctx context.Context, app []string, cookies dialects.Cookies) (*sessionstore.Session, error) {
	if len(app) == 0 && !v.Session.Exists() {
		return &sessionstore.Session{Scope: v.Scope, NoCookie: v.Virtual, Client: v.Client}, nil
	}
	for _, value := range app {
		if named, ok := verify(value, cookies, v.manager); ok {
			session, err := v.manager.LoadKnown(ctx, named.id, named.ref, v.Scope, v.Browser)
			if err != nil || !session.Exists() {
				return nil, err
			}
			return session, nil
		}
	}
	if !v.Session.Exists() {
		return nil, nil // no client would get the cookie of a new one
	}
	return v.Session, nil
}

// endOthers ends the sessions of the other cookies in the request. Otherwise the next request would
// be logged in by one of them.
func (k *Store) endOthers(ctx context.Context, v *Visit) error {
	if v.Virtual || len(v.signed) == 0 {
		return nil // no cookie can be expired there, so nothing is ended
	}
	ctx, cancel := context.WithTimeout(ctx, k.opts.StoreTimeout)
	defer cancel()
	for i := range v.signed {
		c := &v.signed[i]
		if c.id == v.id {
			continue
		}
		session, err := v.manager.LoadKnown(ctx, c.id, c.ref, v.Scope, v.Browser)
		if err == nil && session.Exists() {
			if _, err = v.manager.Commit(ctx, session, &sessionstore.Change{Destroy: true}); err == nil {
				ended.Destroyed.Inc()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Renew implements [Keeper].
func (k *Store) Renew(v *Visit) (value string, ok bool) {
	ctx := v.Request.Context()
	cookies, err := k.cookies(ctx)
	if err != nil || !v.manager.Current(ctx, v.Session) {
		return "", false
	}
	return cookies.Sign(v.id), true
}

// Answered implements [Keeper].
func (k *Store) Answered(v *Visit, saved, renewed bool) {
	switch {
	case saved:
	case renewed && v.Session.CookieOutdated():
		k.touchSoon(v, (*sessionstore.Manager).TouchGiven)
	case v.Session.FirstUse():
		k.touchSoon(v, (*sessionstore.Manager).Touch)
	}
}

// Later implements [Keeper]. The store is opened again for each change, if the configuration has
// ended.
func (k *Store) Later(v *Visit, ref string) Later {
	if v.place.Key == "" {
		return nil
	}
	s := sessionstore.Later(v.place, v.Scope, ref, v.Session)
	return func(ctx context.Context, change *sessionstore.Change) (sessionstore.Outcome, error) {
		m, err := k.acquire()
		if err != nil {
			return sessionstore.Outcome{}, err
		}
		defer k.done()
		return m.Commit(ctx, s, change)
	}
}

// Interface guard
var _ Keeper = (*Store)(nil)
