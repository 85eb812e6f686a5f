package keep

import (
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/none"
)

// maxCookie is the maximum size of a cookie's name and value together that browsers accept (RFC
// 6265bis, section 5.6), in bytes.
const maxCookie = 4096

// Cookie keeps each session in the session cookie itself. Without a store there is no
// compare-and-set, so parallel changes overwrite each other. See [sessionstore.Manager.Unpack].
type Cookie struct {
	client  dialects.Client
	opts    sessionstore.Options
	manager *sessionstore.Manager

	// name is the cookie's name.
	name string
}

// NewCookie returns a keeper for sessions in the cookie of this name.
func NewCookie(client dialects.Client, opts sessionstore.Options, name string) *Cookie {
	return &Cookie{client, opts, sessionstore.NewManager(none.Store{}, opts), name}
}

// Options implements [Keeper].
func (k *Cookie) Options() sessionstore.Options { return k.opts }

// Enter implements [Keeper].
func (*Cookie) Enter(*Visit) error { return nil }

// Leave implements [Keeper].
func (*Cookie) Leave(*Visit) {}

// Cleanup implements [Keeper].
func (*Cookie) Cleanup() {}

// Watch implements [Keeper]. Nobody can end a session that is in a cookie.
func (*Cookie) Watch(*Visit, func()) (stop func()) { return func() {} }

// Later implements [Keeper]. A session in a cookie cannot be changed without one.
func (*Cookie) Later(*Visit, string) Later { return nil }

// Answered implements [Keeper].
func (*Cookie) Answered(*Visit, bool, bool) {}

// Find implements [Keeper].
func (k *Cookie) Find(v *Visit) error {
	for _, value := range v.Cookies {
		v.Finding = max(v.Finding, Forged)
		if v.Verified == MaxCookies {
			break
		}
		session, err := k.open(v, value)
		if session == nil {
			continue
		}
		v.Verified++
		v.Session = session
		v.learn(session)
		v.Session.NoCookie = v.Virtual
		v.Touched = session.TouchDue()
		if err != nil || v.Session.Exists() {
			return err
		}
	}
	return nil
}

// open returns the session in a cookie, or nil if the cookie is not valid.
func (k *Cookie) open(v *Visit, value string) (*sessionstore.Session, error) {
	if len(value) > maxCookie {
		return nil, nil
	}
	payload, age, stale, ok := k.client.Open(value, time.Now())
	if !ok {
		return nil, nil
	}
	session, err := k.manager.Unpack(payload, age)
	v.payload, v.Stale = payload, stale
	return session, err
}

// Save implements [Keeper]. If the app has set the cookie itself, the change applies to that one.
func (k *Cookie) Save(v *Visit, change *sessionstore.Change, app []string) (Outcome, error) {
	session := v.Session
	if len(app) > 0 {
		session = new(sessionstore.Session) // the app has deleted its cookie
		for _, value := range app {
			answered, err := k.open(v, value)
			if err != nil {
				return Outcome{}, err
			}
			if answered != nil {
				session = answered
			}
		}
	}
	if !session.Exists() {
		session = &sessionstore.Session{NoCookie: v.Virtual}
	}
	out, payload, err := k.manager.Pack(session, change)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Outcome: out, Replaces: out.Cookie != sessionstore.CookieKept}
	if out.Cookie == sessionstore.CookieSet {
		o.Value = k.client.Seal(payload, time.Now())
		if size := len(k.name) + len(o.Value); size > maxCookie {
			return Outcome{}, fmt.Errorf("%w: the cookie would be %d bytes, browsers keep %d", sessionstore.ErrTooLarge, size, maxCookie)
		}
	}
	return o, nil
}

// Renew implements [Keeper].
func (k *Cookie) Renew(v *Visit) (value string, ok bool) {
	return k.client.Seal(v.payload, time.Now()), true
}

// Interface guard
var _ Keeper = (*Cookie)(nil)
