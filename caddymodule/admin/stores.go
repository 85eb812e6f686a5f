package admin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store describes a store that is open.
type Store struct {
	// Name names the store in requests: its kind, and a part that tells it from others of the kind.
	Name string `json:"name"`

	// Kind is the name of the store's module, Place where it is, and Dialect the format of its
	// records.
	Kind    string `json:"kind"`
	Place   string `json:"place,omitempty"`
	Dialect string `json:"dialect"`

	// Moving is the name of the store that this one is a part of, while sessions move: from it, or
	// to it. Such a store can be listed and counted. All else goes by the other name.
	Moving string `json:"moving,omitempty"`

	// Scopes are the first parts of the scopes of its sessions: the second is a host.
	Scopes []string `json:"scopes,omitempty"`

	// Lists says that the store can list its sessions.
	Lists bool `json:"lists"`

	// Records is how many records the store has, if it can say so cheaply. Records that have just
	// expired count, and the lists of users' sessions.
	Records *int64 `json:"records,omitempty"`
}

// part is an open store with the sessions of one format, and the managers of the handlers that use
// it.
type part struct {
	Store
	store  sessionstore.Store
	prefix string // of keys
	native bool

	// sites are the managers by site, and all those of all sites. first is any one, for what is the
	// same with each.
	sites map[string]sessionstore.Managers
	all   sessionstore.Managers
	first *sessionstore.Manager

	// sides describe the two stores that it consists of, while sessions move.
	sides []keep.Side

	// covers says which scopes belong to it. It is nil if all do.
	covers func(sessionstore.Scope) bool
}

// has reports whether sessions of a scope belong to the part. Those of an app have no scope.
func (p *part) has(scope sessionstore.Scope) bool {
	return p.covers == nil || !p.native || p.covers(scope)
}

// Opened are the stores that are open during a request.
type Opened struct {
	parts    []*part
	releases []func()
}

// Release must be called at the end.
func (o *Opened) Release() {
	for _, release := range o.releases {
		release()
	}
}

// Open opens stores, with the native sessions whose scopes covers allows, or with all if it is nil.
// They must be released, after an error too.
func Open(stores []*keep.Store, covers func(sessionstore.Scope) bool) (*Opened, error) {
	o := new(Opened)
	// Handlers may use one place with different options, such as a timeout, and so by different
	// stores. Where the place is not known, the store tells.
	type identity struct {
		store sessionstore.Store
		name  string
	}
	known := make(map[identity]*part)
	for _, k := range stores {
		store, m, release, err := k.Acquire()
		if err != nil {
			return o, err
		}
		o.releases = append(o.releases, release)
		about := k.About()
		prefix, listable := m.KeyPrefix()
		_, walks := store.(sessionstore.Walker)
		id := identity{store, nameOf(about, prefix)}
		if about.Place != "" {
			id.store = nil
		}
		p := known[id]
		if p == nil {
			p = &part{sites: make(map[string]sessionstore.Managers), prefix: prefix, native: !m.Foreign(), covers: covers, sides: about.Sides}
			p.Store = Store{Kind: about.Kind, Place: about.Place, Dialect: about.Dialect, Lists: walks && listable}
			p.Name = id.name
			known[id] = p
			o.parts = append(o.parts, p)
		}
		p.store, p.first, p.all, p.sites[about.Site] = store, m, p.all.With(m), p.sites[about.Site].With(m)
		if p.native && !slices.Contains(p.Scopes, about.Site) {
			p.Scopes = append(p.Scopes, about.Site)
		}
	}
	for _, p := range o.parts {
		o.parts = append(o.parts, p.split()...)
	}
	slices.SortFunc(o.parts, func(a, b *part) int { return cmp.Compare(a.Name, b.Name) })
	return o, nil
}

// split returns the stores that a store consists of, while sessions move.
func (p *part) split() (both []*part) {
	pair, ok := p.store.(sessionstore.Pair)
	if !ok {
		return nil
	}
	from, to := pair.Sides()
	for i, store := range []sessionstore.Store{from, to} {
		about := keep.About{Kind: p.sides[i].Kind, Place: p.sides[i].Place, Dialect: p.Dialect}
		_, walks := store.(sessionstore.Walker)
		side := &part{store: store, sites: p.sites, all: p.all, first: p.first, prefix: p.prefix, native: p.native, covers: p.covers}
		side.Store = Store{Name: nameOf(about, p.prefix), Kind: about.Kind, Place: about.Place, Dialect: about.Dialect, Lists: walks, Moving: p.Name}
		both = append(both, side)
	}
	return both
}

// nameOf returns the name of a store. It stays the same after a restart.
func nameOf(about keep.About, prefix string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{about.Kind, about.Place, about.Dialect, prefix}, "\x00")))
	return about.Kind + "-" + hex.EncodeToString(sum[:4])
}

// named returns the store of this name or kind, to be changed. If only one is open, it needs no
// name.
func (o *Opened) named(name string) (*part, error) {
	p, err := o.listed(name)
	if err == nil && p.Moving != "" {
		return nil, refuse(http.StatusBadRequest, "sessions move from or to store %s now, so name both of them: %s", p.Name, p.Moving)
	}
	return p, err
}

// listed returns the store of this name or kind, to be listed.
func (o *Opened) listed(name string) (*part, error) {
	var found []*part
	for _, p := range o.parts {
		if name == "" && p.Moving == "" || name == p.Name || name == p.Kind {
			found = append(found, p)
		}
	}
	// A store may be used alone, and be one of a pair between which sessions move. The former can
	// do more.
	if slices.ContainsFunc(found, alone) {
		found = slices.DeleteFunc(found, func(p *part) bool { return !alone(p) })
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(o.parts) == 0:
		return nil, refuse(http.StatusNotFound, "no session store is open: the configuration has none, or it keeps the sessions in cookies")
	case len(found) == 0:
		return nil, refuse(http.StatusNotFound, "no store %q is open; there are: %s", name, o.names())
	default:
		return nil, refuse(http.StatusBadRequest, "several stores are open, so name one: %s", o.names())
	}
}

func alone(p *part) bool { return p.Moving == "" }

func (o *Opened) names() string {
	names := make([]string, 0, len(o.parts))
	for _, p := range o.parts {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// of returns the managers for a scope. A site has several if its handlers have other options, or if
// it is that of several hosts.
func (p *part) of(scope sessionstore.Scope) sessionstore.Managers {
	if ms := p.sites[scope.Site]; ms != nil && p.native {
		return ms
	}
	return p.all
}

// describe describes the session in an entry of the store: see [sessionstore.Managers.Describe].
func (p *part) describe(ref string, e sessionstore.Entry) (sessionstore.Info, bool, error) {
	return p.of(p.first.ScopeIn(e)).Describe(ref, e)
}

// walker returns the store as one that can list its sessions.
func (p *part) walker() (sessionstore.Walker, error) {
	if !p.Lists {
		return nil, refuse(http.StatusNotImplemented, "store %s with dialect %s cannot list its sessions", p.Kind, p.Dialect)
	}
	return p.store.(sessionstore.Walker), nil
}

// Stores describes the stores.
func (o *Opened) Stores() []Store {
	all := make([]Store, 0, len(o.parts))
	for _, p := range o.parts {
		if c, ok := p.store.(sessionstore.Counter); ok {
			if n, ok := c.Count(); ok {
				p.Records = &n
			}
		}
		all = append(all, p.Store)
	}
	return all
}

func stores(w http.ResponseWriter, _ *http.Request, o *Opened) error {
	return reply(w, struct {
		Stores []Store `json:"stores"`
	}{o.Stores()})
}
