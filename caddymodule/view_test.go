package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Other modules can read the sessions of all handlers that the request has passed.
func TestOtherModulesReadTheSession(t *testing.T) {
	outer, inner := mustProvision(t, inMemory(t, "name shop")), mustProvision(t, inMemory(t, ""))
	w, err := serve(outer, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, r *http.Request) error {
		if s := session.From(r); s.Exists() || s.Ref() != "" || s.Data() != "{}" || s.Handler() != "shop" || s.Outer() != nil {
			t.Errorf("without a session: %t, %q, %q", s.Exists(), s.Ref(), s.Data())
		}
		w.Header().Set("X-Session-shop-Update", `{"user":{"name":"zoe","id":7}}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	_, err = serve(outer, r, func(w http.ResponseWriter, r *http.Request) error {
		return inner.ServeHTTP(w, r, handlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			if s := session.From(r); s.Handler() != "" || s.Exists() {
				t.Errorf("the last handler is %q, its session exists: %t", s.Handler(), s.Exists())
			}
			s := session.Of(r, "shop")
			name, _ := s.Field("user.name")
			id, _ := s.Field("user.id")
			_, missing := s.Field("user.mail")
			if !s.Exists() || s.Unavailable() || len(s.Ref()) == 0 || name != "zoe" || id != json.Number("7") || missing {
				t.Errorf("user.name %v, user.id %v", name, id)
			}
			if s != session.From(r).Outer() || session.Of(r, "other") != nil {
				t.Error("another session than that of shop")
			}
			return nil
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if session.From(prepare(httptest.NewRecorder(), r)) != nil {
		t.Error("a session without a handler")
	}
}

// In error routes the store may have been released, so the sessions of users are not known there.
func TestSessionsOfUsersInErrorRoutes(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user name"))
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(create(t, h, `{"name":"zoe"}`))
	r = prepare(w, r)
	if err := h.ServeHTTP(w, r, handlerFunc(func(http.ResponseWriter, *http.Request) error { return http.ErrHandlerTimeout })); err == nil {
		t.Fatal("the handler has not failed")
	}
	s := session.From(r)
	_, err := s.UserSessions(t.Context())
	for _, err := range []error{err, s.End(t.Context(), s.Ref()), s.EndOthers(t.Context())} {
		if !errors.Is(err, sessionstore.ErrNoIndex) || s.User() != "zoe" {
			t.Errorf("user %q, error %v", s.User(), err)
		}
	}
}

// A sub-request of templates comes from 127.0.0.1, and is no use of the session from there.
func TestRememberedClientInTemplates(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user user\nremember_client on\ncookie {\npass_through on\n}"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(create(t, h, `{"user":"zoe"}`))
	_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		include, _ := http.NewRequest(http.MethodGet, "/part", nil)
		include.Host, include.RemoteAddr, include.Header = r.Host, "127.0.0.1:10000", r.Header.Clone()
		include.Header.Set("Caddy-Templates-Include", "1")
		if _, err := serve(h, include, respond(http.StatusOK, "X-Session-Update", `{"n":1}`)); err != nil {
			return err
		}
		list, err := session.From(r).UserSessions(t.Context())
		if len(list) != 1 || list[0].Last.Address != "192.0.2.1" || list[0].First.Address != "192.0.2.1" {
			t.Errorf("the sessions of the user are %+v", list)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// adminsOnly lets requests through whose user is an admin.
func adminsOnly(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	s := session.From(r)
	if s == nil {
		return caddyhttp.Error(http.StatusInternalServerError, errors.New("no session directive before this handler"))
	}
	if role, _ := s.Field("user.role"); role != "admin" {
		return caddyhttp.Error(http.StatusForbidden, errors.New("the user is not an admin"))
	}
	return next.ServeHTTP(w, r)
}

// docs/go.md shows adminsOnly.
func TestPluginOfTheDocumentation(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	plugin := func(w http.ResponseWriter, r *http.Request) error {
		return adminsOnly(w, r, handlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	}
	for role, want := range map[string]int{"admin": 0, "editor": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(create(t, h, `{"user":{"role":"`+role+`"}}`))
		if _, err := serve(h, r, plugin); statusOf(err) != want {
			t.Errorf("%s: %v, want %d", role, err, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if _, err := serve(h, r, plugin); statusOf(err) != http.StatusForbidden {
		t.Errorf("without a session: %v", err)
	}
	w := httptest.NewRecorder()
	if err := plugin(w, prepare(w, r)); statusOf(err) != http.StatusInternalServerError {
		t.Errorf("without a session directive: %v", err)
	}
}
