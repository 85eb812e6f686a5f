package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"

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

func find(w http.ResponseWriter, r *http.Request, o *Opened) error {
	var of Of
	if err := read(w, r, &of); err != nil {
		return err
	}
	page, err := o.Find(r.Context(), of)
	if err != nil {
		return err
	}
	return reply(w, page)
}

// Find returns the sessions of a user.
func (o *Opened) Find(ctx context.Context, of Of) (Page, error) {
	page := Page{Sessions: []Session{}}
	if of.User == "" || of.All || of.Except != "" {
		return page, refuse(http.StatusBadRequest, "name the user, and the scope if you like")
	}
	p, err := o.scoped(&of)
	if err != nil {
		return page, err
	}
	err = p.eachOf(ctx, &of, func(ms sessionstore.Managers, in inScope) error {
		found, err := ms.UserSessions(ctx, in.scope, of.User, in.refs...)
		for i := range found {
			page.Sessions = append(page.Sessions, describe(&found[i]))
		}
		return err
	}, func(found kept) error {
		page.Sessions = append(page.Sessions, describe(&found.Info))
		return nil
	})
	return page, err
}

// scoped returns the store that a request names. It refuses a scope where sessions have none: all
// of the user would be meant, or nobody's.
func (o *Opened) scoped(of *Of) (*part, error) {
	p, err := o.named(of.Store)
	if err == nil && of.Scope != "" && !p.native {
		return nil, refuse(http.StatusBadRequest, "scope: the sessions of an app have none, so leave it out")
	}
	return p, err
}

var errNoIndex = refuse(http.StatusBadRequest, "the sessions of users are not known here: set the option user of the handler to the field of the data that names the user")

// inScope are the sessions of a user in a scope, as far as a walk has found them. They may be
// missing in the list of the user's sessions.
type inScope struct {
	scope sessionstore.Scope
	refs  []string
}

// eachOf calls indexed for each scope in which the user has sessions. Sessions of an app's own
// format are not listed by user. There it calls single for each session of the user.
func (p *part) eachOf(ctx context.Context, of *Of, indexed func(sessionstore.Managers, inScope) error, single func(kept) error) error {
	if !p.native {
		return p.each(ctx, func(page, _ []kept) (bool, error) {
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
	if !p.all.ListsUsers() {
		return errNoIndex
	}
	var unreadable error // what cannot be read in one scope, stops nothing in the others
	for _, in := range scopes {
		switch err := indexed(p.of(in.scope), in); {
		case errors.Is(err, sessionstore.ErrNoIndex):
			return errNoIndex
		case errors.Is(err, sessionstore.ErrRecord):
			unreadable = err
		case err != nil:
			return err
		}
	}
	return unreadable
}

// scopes returns the scopes in which a user has sessions: the one that is named, or all that the
// store has, with what a walk through it finds.
func (p *part) scopes(ctx context.Context, of *Of) (scopes []inScope, err error) {
	if of.Scope != "" {
		scope := sessionstore.ParseScope(of.Scope)
		if !p.has(scope) {
			return nil, refuse(http.StatusNotFound, "the scope belongs to another site")
		}
		return []inScope{{scope: scope}}, nil
	}
	if !p.Lists {
		return nil, refuse(http.StatusBadRequest, "name the scope: store %s cannot list its sessions", p.Kind)
	}
	at := make(map[sessionstore.Scope]int)
	err = p.each(ctx, func(page, former []kept) (bool, error) {
		for _, s := range slices.Concat(page, former) {
			if s.User != of.User {
				continue
			}
			n, known := at[s.Scope]
			if !known {
				n = len(scopes)
				at[s.Scope] = n
				scopes = append(scopes, inScope{scope: s.Scope})
			}
			scopes[n].refs = append(scopes[n].refs, s.Ref)
		}
		return false, nil
	})
	return scopes, err
}

func endOne(w http.ResponseWriter, r *http.Request, o *Opened) error {
	done, err := o.EndOne(r.Context(), r.URL.Query().Get("store"), strings.TrimPrefix(r.URL.Path, onePath))
	if err != nil {
		return err
	}
	return reply(w, done)
}

// EndOne ends the session with a ref, and what it has become.
func (o *Opened) EndOne(ctx context.Context, store, ref string) (done Ended, err error) {
	p, err := o.named(store)
	if err != nil {
		return done, err
	}
	key, err := p.keyOf(ctx, ref)
	if err != nil {
		return done, err
	}
	was, err := p.first.EndKey(ctx, key)
	if err == nil && !was {
		err = errNoSession
	}
	if was {
		done.Ended = 1
		ended.Revoked.Inc()
	}
	return done, err
}

// keyOf returns the key of the session with a ref. It may be one that has got a new id.
func (p *part) keyOf(ctx context.Context, ref string) (key string, err error) {
	if !p.native || !sessionstore.ValidID(ref) {
		found, err := p.find(ctx, ref)
		return found.Key, err
	}
	if p.covers == nil {
		return ref, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, err := p.store.Get(ctx, ref)
	if err == nil && !p.has(p.first.ScopeIn(entry)) {
		err = errNoSession
	}
	return ref, err
}

func end(w http.ResponseWriter, r *http.Request, o *Opened) error {
	var of Of
	if err := read(w, r, &of); err != nil {
		return err
	}
	done, err := o.End(r.Context(), of)
	if err != nil {
		return err
	}
	return reply(w, done)
}

// End ends the sessions of a user, or all. After an error, some may have ended.
func (o *Opened) End(ctx context.Context, of Of) (done Ended, err error) {
	if (of.User == "") != of.All || of.All && of.Except != "" {
		return done, refuse(http.StatusBadRequest, `name a user, or say "all": true`)
	}
	p, err := o.scoped(&of)
	if err != nil {
		return done, err
	}
	if err := p.spares(ctx, &of); err != nil {
		return done, err
	}
	if of.All {
		done.Ended, err = p.endAll(ctx, of.Scope)
	} else {
		done.Ended, err = p.endUser(ctx, &of)
	}
	ended.Revoked.Add(float64(done.Ended))
	return done, err
}

// spares refuses an exception that is no session of the user: the one that is meant would end.
func (p *part) spares(ctx context.Context, of *Of) error {
	if of.Except == "" {
		return nil
	}
	found, err := p.find(ctx, of.Except)
	if err == nil && found.User != of.User {
		err = errNoSession
	}
	if known, ok := errors.AsType[caddy.APIError](err); ok {
		return refuse(known.HTTPStatus, "except: %w", known.Err)
	}
	return err
}

func (p *part) endUser(ctx context.Context, of *Of) (ended int, err error) {
	err = p.eachOf(ctx, of, func(ms sessionstore.Managers, in inScope) error {
		n, err := ms.EndUser(ctx, in.scope, of.User, of.Except, in.refs...)
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

// endAll ends all sessions of the store, or of a scope. What cannot be read is an error when all
// others have ended.
func (p *part) endAll(ctx context.Context, scope string) (ended int, err error) {
	var unreadable error
	err = p.each(ctx, func(page, former []kept) (bool, error) {
		page = append(page, former...)
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
					was, err := p.first.EndKey(ctx, s.Key)
					mu.Lock()
					if was {
						ended++
					}
					if errors.Is(err, sessionstore.ErrRecord) {
						unreadable, err = err, nil
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
	return ended, cmp.Or(err, unreadable)
}
