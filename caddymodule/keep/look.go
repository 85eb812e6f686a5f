package keep

import (
	"context"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Look is what a value of the session cookie leads to.
type Look struct {
	// Finding is Forged, Unknown, OtherScope, Over or Hit.
	Finding Finding

	// Stale says that an older key has signed the cookie, and Closed that the browser was closed,
	// so that of the session only lasting cookies are left.
	Stale, Closed bool

	// Session is the session, or one that does not exist. It must not be changed.
	Session *sessionstore.Session

	// Ref names the record, if the cookie is valid. Info describes it if it is live. Scope is that
	// of the record, if it has one.
	Ref   string
	Info  sessionstore.Info
	Scope sessionstore.Scope
}

// Look implements [Keeper].
func (k *Store) Look(ctx context.Context, value string, scope sessionstore.Scope, browser []string) (l Look, err error) {
	l = Look{Finding: Forged, Session: Nobody}
	m, err := k.acquire()
	if err != nil {
		return l, err
	}
	defer k.done()
	cookies, err := k.cookies(ctx)
	if err != nil {
		return l, err
	}
	s, ok := verify(value, cookies, m)
	if !ok {
		return l, nil
	}
	l.Ref, l.Stale = s.ref, s.stale
	var session *sessionstore.Session
	var entry sessionstore.Entry
	if browser == nil {
		session, entry, err = m.Peek(ctx, s.id, scope)
	} else {
		session, entry, l.Closed, err = m.PeekKnown(ctx, s.id, scope, browser)
	}
	if err != nil {
		return l, err
	}
	l.Session, l.Finding, l.Scope = session, findingOf(session), m.ScopeIn(entry)
	l.Info, _, err = m.Describe(s.ref, entry)
	return l, err
}

// Reach implements [Keeper]. It reads a record that is not there.
func (k *Store) Reach(ctx context.Context) error {
	m, err := k.acquire()
	if err != nil {
		return err
	}
	defer k.done()
	_, _, err = m.Peek(ctx, sessionstore.NewID(), sessionstore.Scope{})
	return err
}

// Look implements [Keeper].
func (k *Cookie) Look(_ context.Context, value string, _ sessionstore.Scope, _ []string) (Look, error) {
	var v Visit
	session, err := k.open(&v, value)
	if session == nil || err != nil {
		return Look{Finding: Forged, Session: Nobody}, err
	}
	return Look{Finding: findingOf(session), Stale: v.Stale, Session: session}, nil
}

// Reach implements [Keeper].
func (*Cookie) Reach(context.Context) error { return nil }
