package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Session describes a session.
type Session struct {
	Ref   string `json:"ref"`
	User  string `json:"user,omitempty"`
	Scope string `json:"scope,omitempty"`

	// Created is missing in the formats of other programs, LastUsed where it is unknown.
	Created  time.Time `json:"created,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Expires  time.Time `json:"expires"`

	// Size is the size of the record, in bytes.
	Size int `json:"size"`

	// Permanent says that the cookie outlives the browser, Unused that nobody has come with it yet.
	// OnlyCookies says that the idle timeout is over, so that only the lasting cookies of the vault
	// are left.
	Permanent   bool `json:"permanent,omitempty"`
	Unused      bool `json:"unused,omitempty"`
	OnlyCookies bool `json:"only_cookies,omitempty"`

	// First and Last are the clients of the first and the last recorded use. They are missing
	// without the option remember_client.
	First sessionstore.Client `json:"first,omitzero"`
	Last  sessionstore.Client `json:"last,omitzero"`

	Data json.RawMessage `json:"data,omitempty"`
}

func describe(i *sessionstore.Info) Session {
	s := Session{
		Ref: i.Ref, User: i.User, Created: i.Created.UTC(), LastUsed: i.Used.UTC(), Expires: i.Expires.UTC(),
		Size: i.Size, Permanent: i.Permanent, Unused: i.Unused, OnlyCookies: i.OnlyCookies, First: i.First, Last: i.Last,
	}
	if i.Scope != (sessionstore.Scope{}) {
		s.Scope = i.Scope.String()
	}
	return s
}

// Page is a part of a list.
type Page struct {
	Sessions []Session `json:"sessions"`

	// Next is where the next page begins, for the parameter after. It is missing on the last page.
	Next string `json:"next,omitempty"`
}

const (
	defaultLimit = 100

	// maxWalks is how many pages of a store make a page of the API at most. In a Redis database
	// with many keys of other programs, a page of the store may have few sessions, or none.
	maxWalks = 10

	// storeTimeout bounds reading a page of a store, or one session.
	storeTimeout = 10 * time.Second
)

func list(w http.ResponseWriter, r *http.Request, o *Opened) error {
	query := r.URL.Query()
	limit := defaultLimit
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > sessionstore.MaxPage {
			return refuse(http.StatusBadRequest, "limit: it must be from 1 to %d", sessionstore.MaxPage)
		}
	}
	page, err := o.List(r.Context(), query.Get("store"), query.Get("after"), limit)
	if err != nil {
		return err
	}
	return reply(w, page)
}

// List returns a page of about limit sessions of a store.
func (o *Opened) List(ctx context.Context, store, after string, limit int) (Page, error) {
	page := Page{Sessions: []Session{}}
	p, err := o.listed(store)
	if err != nil {
		return page, err
	}
	if after, err = p.cursor(after); err != nil {
		return page, err
	}
	for range maxWalks {
		found, _, next, err := p.page(ctx, after, limit-len(page.Sessions))
		if err != nil {
			return page, err
		}
		for i := range found {
			page.Sessions = append(page.Sessions, describe(&found[i].Info))
		}
		if after = next; after == "" || len(page.Sessions) >= limit {
			break
		}
	}
	page.Next = p.seal(after)
	return page, nil
}

// kept is a session as a store has it.
type kept struct {
	sessionstore.Info
	sessionstore.Keyed
}

// page returns a page of sessions of the store, and of records that sessions have left, see
// [sessionstore.Manager.Former]. A record that cannot be read is left out.
func (p *part) page(ctx context.Context, after string, limit int) (found, former []kept, next string, err error) {
	walker, err := p.walker()
	if err != nil {
		return nil, nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	page, err := walker.Walk(ctx, p.prefix, after, limit)
	if err != nil {
		return nil, nil, "", err
	}
	for _, r := range page.Records {
		ref, ok := p.first.RefOf(r.Key)
		if !ok {
			continue
		}
		into := &found
		info, is, err := p.describe(ref, r.Entry)
		if !is && err == nil {
			into = &former
			info, is = p.first.Former(ref, r.Entry)
		}
		if is && p.has(info.Scope) {
			*into = append(*into, kept{info, r})
		}
	}
	return found, former, page.Next, nil
}

// walkRest is how many times longer than a page took is the rest after it, so that a walk through
// all sessions leaves the processor and the store to the requests.
const walkRest = 3

// each calls f for each page, until there are no more or f reports that it is done. What has ended
// under one id, or has got a new one, may go on in a page before: it is in former.
func (p *part) each(ctx context.Context, f func(page, former []kept) (done bool, err error)) error {
	for after := ""; ; {
		began := time.Now()
		found, former, next, err := p.page(ctx, after, sessionstore.MaxPage)
		if err != nil {
			return err
		}
		took := time.Since(began)
		if done, err := f(found, former); err != nil || done || next == "" {
			return err
		}
		after = next
		select {
		case <-time.After(walkRest * took):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func show(w http.ResponseWriter, r *http.Request, o *Opened) error {
	query := r.URL.Query()
	s, err := o.Show(r.Context(), query.Get("store"), strings.TrimPrefix(r.URL.Path, onePath), query.Get("data") == "true")
	if err != nil {
		return err
	}
	return reply(w, s)
}

// Show returns the session with a ref, with its data or without.
func (o *Opened) Show(ctx context.Context, store, ref string, withData bool) (s Session, err error) {
	p, err := o.named(store)
	if err != nil {
		return s, err
	}
	found, err := p.find(ctx, ref)
	if err != nil {
		return s, err
	}
	s = describe(&found.Info)
	if found.OnlyCookies && withData {
		s.Data = json.RawMessage("{}") // what the record has is served to nobody
	} else if withData {
		data, err := p.first.DataIn(found.Entry)
		if err != nil {
			return s, err
		}
		s.Data = json.RawMessage(data)
	}
	return s, nil
}

var errNoSession = refuse(http.StatusNotFound, "there is no session with this ref: it has ended, or got a new id")

// find returns the session with a ref. The keys of an app's own sessions hold the id, so there it
// takes a walk.
func (p *part) find(ctx context.Context, ref string) (found kept, err error) {
	if !sessionstore.ValidID(ref) {
		return found, refuse(http.StatusBadRequest, "a ref has 43 letters, digits, - and _")
	}
	live := false
	if p.native {
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		found.Key = ref
		if found.Entry, err = p.store.Get(ctx, ref); err == nil {
			found.Info, live, err = p.describe(ref, found.Entry)
		}
	} else {
		err = p.each(ctx, func(page, _ []kept) (bool, error) {
			for _, s := range page {
				if s.Ref == ref {
					found, live = s, true
				}
			}
			return live, nil
		})
	}
	if err == nil && (!live || !p.has(found.Scope)) {
		err = errNoSession
	}
	return found, err
}
