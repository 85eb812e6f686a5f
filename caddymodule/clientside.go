package caddymodule

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxClientCookie is what browsers keep of a cookie, its name and its value together (RFC 6265bis, section 5.6).
const maxClientCookie = 4096

// unpack finds the session in a dialect whose cookies are the sessions.
func (x *exchange) unpack(id *identity) error {
	for _, value := range x.cookies {
		if id.n == maxIdentities {
			break
		}
		session, err := x.opened(value)
		if session == nil {
			continue
		}
		id.n++
		x.session = session
		x.session.NoCookie = x.virtual
		if err != nil || x.session.Exists() {
			return err
		}
	}
	return nil
}

// opened returns the session in a cookie, or nil if it is not one that the app may have made.
func (x *exchange) opened(value string) (*sessionstore.Session, error) {
	if len(value) > maxClientCookie {
		return nil, nil
	}
	payload, age, stale, ok := x.h.format.Client.Open(value, time.Now())
	if !ok {
		return nil, nil
	}
	session, err := x.manager.Unpack(payload, age)
	x.payload, x.stale = payload, stale
	return session, err
}

// pack makes the change to the session in the cookie: to the one that the app itself has just set, if it has.
func (x *exchange) pack(h http.Header, c *collected, change *sessionstore.Change) error {
	session := x.session
	if x.h.cookie.passThrough && len(c.foreign) > 0 {
		session = new(sessionstore.Session) // it has taken its cookie back
		for _, value := range c.foreign {
			answered, err := x.opened(value)
			if err != nil {
				return x.refusal(err)
			}
			if answered != nil {
				session = answered
			}
		}
	}
	if !session.Exists() {
		session = &sessionstore.Session{NoCookie: x.virtual}
	}
	out, payload, err := x.manager.Pack(session, change)
	if err != nil {
		return x.refusal(err)
	}
	if out.Cookie == sessionstore.CookieSet {
		out.ID = x.h.format.Client.Seal(payload, time.Now())
		if size := len(x.cookieName()) + len(out.ID); size > maxClientCookie {
			return x.refusal(fmt.Errorf("%w: the cookie would be %d bytes, browsers keep %d", sessionstore.ErrTooLarge, size, maxClientCookie))
		}
	}
	if out.Cookie != sessionstore.CookieKept && len(c.foreign) > 0 {
		// Ours says what the app's does, and the change beside it.
		x.dropForeign(h)
		c.foreign = nil
	}
	x.finish(h, c, out)
	return nil
}
