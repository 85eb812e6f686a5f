package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Of says which sessions of a store a request is about.
type Of struct {
	Store string `json:"store,omitempty"`
	User  string `json:"user,omitempty"`

	// Scope may be left out where the store can list its sessions.
	Scope string `json:"scope,omitempty"`

	// Except is the ref of a session of the user that goes on, and All means every session of the
	// store, or of the scope. Both are for ending only.
	Except string `json:"except,omitempty"`
	All    bool   `json:"all,omitempty"`
}

// Ended says how many sessions a request has ended.
type Ended struct {
	Ended int `json:"ended"`
}

func find(w http.ResponseWriter, r *http.Request, o *opened) error {
	var of Of
	if err := read(w, r, &of); err != nil {
		return err
	}
	if of.User == "" || of.All || of.Except != "" {
		return refuse(http.StatusBadRequest, "name the user, and the scope if you like")
	}
	p, err := o.named(of.Store)
	if err != nil {
		return err
	}
	page := Page{Sessions: []Session{}}
	err = p.eachOf(r.Context(), &of, func(m *sessionstore.Manager, scope sessionstore.Scope) error {
		found, err := m.UserSessions(r.Context(), scope, of.User)
		for i := range found {
			page.Sessions = append(page.Sessions, describe(&found[i]))
		}
		return err
	}, func(found kept) error {
		page.Sessions = append(page.Sessions, describe(&found.Info))
		return nil
	})
	if err != nil {
		return err
	}
	return reply(w, page)
}

var errNoIndex = refuse(http.StatusBadRequest, "the sessions of users are not known here: set the option user of the handler to the field of the data that names the user")

// eachOf calls indexed for each scope in which the user has sessions. Sessions of an app's own
// format are not listed by user. There it calls single for each session of the user.
func (p *part) eachOf(ctx context.Context, of *Of, indexed func(*sessionstore.Manager, sessionstore.Scope) error, single func(kept) error) error {
	if !p.native {
		return p.each(ctx, func(page []kept) (bool, error) {
			for _, s := range page {
				if s.User != of.User {
					continue
				}
				if err := single(s); err != nil {
					return true, err
				}
			}
			return false, nil
		})
	}
	scopes, err := p.scopes(ctx, of)
	if err != nil {
		return err
	}
	known := false
	for _, m := range p.managers {
		_, err := m.UserSessions(ctx, sessionstore.Scope{}, "") // reads nothing
		known = known || !errors.Is(err, sessionstore.ErrNoIndex)
	}
	if !known {
		return errNoIndex
	}
	for _, scope := range scopes {
		if err := indexed(p.of(scope), scope); errors.Is(err, sessionstore.ErrNoIndex) {
			return errNoIndex
		} else if err != nil {
			return err
		}
	}
	return nil
}

// of returns the manager for a scope.
func (p *part) of(scope sessionstore.Scope) *sessionstore.Manager {
	if m := p.managers[scope.Site]; m != nil {
		return m
	}
	return p.first
}

// scopes returns the scopes in which a user has sessions: the one that is named, or all that the
// store has.
func (p *part) scopes(ctx context.Context, of *Of) (scopes []sessionstore.Scope, err error) {
	if of.Scope != "" {
		return []sessionstore.Scope{sessionstore.ParseScope(of.Scope)}, nil
	}
	if !p.Lists {
		return nil, refuse(http.StatusBadRequest, "name the scope: store %s cannot list its sessions", p.Kind)
	}
	known := make(map[sessionstore.Scope]bool)
	err = p.each(ctx, func(page []kept) (bool, error) {
		for i := range page {
			if s := &page[i]; s.User == of.User && !known[s.Scope] {
				known[s.Scope] = true
				scopes = append(scopes, s.Scope)
			}
		}
		return false, nil
	})
	return scopes, err
}

func endOne(w http.ResponseWriter, r *http.Request, o *opened) error {
	p, err := o.named(r.URL.Query().Get("store"))
	if err != nil {
		return err
	}
	ref := strings.TrimPrefix(r.URL.Path, onePath)
	key, m := ref, p.first
	if p.native && !sessionstore.ValidID(ref) {
		_, err = p.find(r.Context(), ref)
		return err
	}
	if !p.native {
		found, err := p.find(r.Context(), ref)
		if err != nil {
			return err
		}
		key = found.Key
	}
	was, err := m.EndKey(r.Context(), key)
	switch {
	case err != nil:
		return err
	case !was:
		return errNoSession
	}
	return replyEnded(w, 1)
}

func end(w http.ResponseWriter, r *http.Request, o *opened) error {
	var of Of
	if err := read(w, r, &of); err != nil {
		return err
	}
	if (of.User == "") != of.All || of.All && of.Except != "" {
		return refuse(http.StatusBadRequest, `name a user, or say "all": true`)
	}
	p, err := o.named(of.Store)
	if err != nil {
		return err
	}
	var n int
	if of.All {
		n, err = p.endAll(r.Context(), of.Scope)
	} else {
		n, err = p.endUser(r.Context(), &of)
	}
	if err != nil {
		ended.Revoked.Add(float64(n)) // some may have ended before that
		return err
	}
	return replyEnded(w, n)
}

func replyEnded(w http.ResponseWriter, n int) error {
	ended.Revoked.Add(float64(n))
	return reply(w, Ended{n})
}

func (p *part) endUser(ctx context.Context, of *Of) (ended int, err error) {
	err = p.eachOf(ctx, of, func(m *sessionstore.Manager, scope sessionstore.Scope) error {
		n, err := m.EndUser(ctx, scope, of.User, of.Except)
		ended += n
		return err
	}, func(found kept) error {
		if found.Ref == of.Except {
			return nil
		}
		was, err := p.first.EndKey(ctx, found.Key)
		if was {
			ended++
		}
		return err
	})
	return ended, err
}

// endsAtOnce is how many sessions are ended at once, so that they share the store's writes.
const endsAtOnce = 32

// endAll ends all sessions of the store, or of a scope.
func (p *part) endAll(ctx context.Context, scope string) (ended int, err error) {
	err = p.each(ctx, func(page []kept) (bool, error) {
		var (
			all  sync.WaitGroup
			mu   sync.Mutex
			errs []error
		)
		for lane := range min(endsAtOnce, len(page)) {
			all.Go(func() {
				for i := lane; i < len(page); i += endsAtOnce {
					s := &page[i]
					if scope != "" && s.Scope.String() != scope {
						continue
					}
					was, err := p.of(s.Scope).EndKey(ctx, s.Key)
					mu.Lock()
					if was {
						ended++
					}
					if err != nil {
						errs = append(errs, err)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		all.Wait()
		return false, errors.Join(errs...)
	})
	return ended, err
}
