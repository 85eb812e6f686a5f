package adminpage

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
)

// view is what the page shows. The sessions are as the admin API tells them.
type view struct {
	Operator string
	Here     string // the address of the page

	Stores []admin.Store
	Store  admin.Store // the one that is shown

	// Ref, User and Scope are what was asked for.
	Ref, User, Scope string

	Sessions  []admin.Session
	After     string // where this page of the list begins
	Next, All string // links

	// Message says what was done, and Error what went wrong.
	Message, Error string
}

// Listed reports whether the page has a list of sessions, which may be empty.
func (v *view) Listed() bool { return v.Sessions != nil }

// Title is the title of the page. It begins with the news, which is what screen readers say first.
func (v *view) Title() string {
	switch {
	case v.Error != "":
		return "Error: sessions"
	case v.Message != "":
		return v.Message + " Sessions"
	default:
		return "Sessions"
	}
}

// Heading is the heading of the list.
func (v *view) Heading() string {
	switch {
	case v.User != "":
		return "Sessions of " + v.User
	case v.Ref != "":
		return "The session with this ref"
	case v.After != "":
		return "All sessions, continued"
	default:
		return "All sessions"
	}
}

// endedMessage says how many sessions have ended.
func endedMessage(n int) string {
	switch n {
	case 0:
		return "No session has ended: there was none."
	case 1:
		return "1 session has ended."
	default:
		return fmt.Sprintf("%d sessions have ended.", n)
	}
}

// choose finds the store that a request names, or the first one.
func (v *view) choose(r *http.Request) error {
	name := r.Form.Get(storeParameter)
	i := slices.IndexFunc(v.Stores, func(s admin.Store) bool { return name == "" || s.Name == name })
	if i < 0 {
		v.Store = v.Stores[0]
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("no store %q is open on this site", name)}
	}
	v.Store = v.Stores[i]
	return nil
}

// end ends what a POST names. It reports whether that was for ending.
func (v *view) end(ctx context.Context, stores *admin.Opened, r *http.Request) (ended int, ending bool, err error) {
	var done admin.Ended
	switch ref, user := r.PostForm.Get(endParameter), r.PostForm.Get(endUserParameter); {
	case ref != "":
		done, err = stores.EndOne(ctx, v.Store.Name, ref)
	case user != "":
		done, err = stores.End(ctx, admin.Of{Store: v.Store.Name, User: user, Scope: r.PostForm.Get(scopeParameter)})
	default:
		return 0, false, nil
	}
	return done.Ended, true, err
}

// fill gets the sessions that a request asks for.
func (v *view) fill(stores *admin.Opened, s *site, r *http.Request) (err error) {
	if len(v.Stores) == 0 {
		return nil
	}
	if !v.Store.Lists {
		v.Scope = s.scope(v.Store)
	}
	v.Ref, v.User = r.Form.Get(refParameter), r.PostForm.Get(userParameter)
	if n, err := strconv.Atoi(r.Form.Get(endedParameter)); err == nil && n >= 0 {
		v.Message = endedMessage(n)
	}
	var found admin.Page
	switch {
	case v.User != "":
		v.Scope = r.PostForm.Get(scopeParameter)
		found, err = stores.Find(r.Context(), admin.Of{Store: v.Store.Name, User: v.User, Scope: v.Scope})
	case v.Ref != "":
		var one admin.Session
		one, err = stores.Show(r.Context(), v.Store.Name, v.Ref, false)
		found.Sessions = []admin.Session{one}
	case !v.Store.Lists:
		return nil
	default:
		v.After = r.Form.Get(afterParameter)
		found, err = stores.List(r.Context(), v.Store.Name, v.After, pageSize)
	}
	if v.Store.Lists && (v.User != "" || v.Ref != "" || v.After != "") {
		v.All = v.link()
	}
	if err != nil {
		return err
	}
	v.Sessions = found.Sessions
	if found.Next != "" {
		v.Next = v.link(afterParameter, found.Next)
	}
	return nil
}

// link returns a link to this page, with parameters, in pairs.
func (v *view) link(parameters ...string) string {
	values := make(url.Values)
	if len(v.Stores) > 1 {
		values.Set(storeParameter, v.Store.Name)
	}
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			values.Set(parameters[i], parameters[i+1])
		}
	}
	if len(values) == 0 {
		return v.Here
	}
	return v.Here + "?" + values.Encode()
}

// scope returns the scope of the request's host in a store, for those that cannot list them.
func (s *site) scope(of admin.Store) string {
	for _, k := range s.kepts {
		if scope := k.scopeOf(s.r.Host); slices.Contains(of.Scopes, scope.Site) {
			return scope.String()
		}
	}
	return "" // an app's sessions have none
}
