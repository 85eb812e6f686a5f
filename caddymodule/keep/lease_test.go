package keep

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/signer"
)

// A session is refreshed while its request is running, and no longer.
func TestNothingIsHeldAfterAVisit(t *testing.T) {
	sgn, err := signer.New(signer.Options{Keys: [][]byte{[]byte(strings.Repeat("k", 32))}})
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New(memory.Options{})
	defer store.Close()
	k, err := NewStore(StoreOptions{
		Open:    func() (sessionstore.Store, func(), error) { return store, func() {}, nil },
		Cookies: func(context.Context) (dialects.Cookies, error) { return sgn, nil },
		Logger:  zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := sessionstore.NewManager(store, sessionstore.Options{})
	value := jsondoc.NewString("zoe")
	field, err := jsondoc.ParsePath("user")
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Commit(t.Context(), new(sessionstore.Session), &sessionstore.Change{
		Edits: []sessionstore.Edit{jsondoc.Assign{Field: field, Value: &value}},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &Visit{Request: httptest.NewRequest("GET", "/", nil), Session: Nobody, Cookies: []string{sgn.Sign(out.ID)}}
	if err := k.Enter(v); err != nil {
		t.Fatal(err)
	}
	if err := k.Find(v); err != nil || !v.Session.Exists() {
		t.Fatalf("found %t, %v", v.Session.Exists(), err)
	}
	if len(k.held) != 1 {
		t.Errorf("%d sessions are held under way, want 1", len(k.held))
	}
	k.Leave(v)
	k.Leave(v)
	if len(k.held) != 0 {
		t.Errorf("%d sessions are held afterwards", len(k.held))
	}
}
