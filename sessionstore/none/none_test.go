package none

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// The suite of storetest does not apply: it expects to find what it has saved.
func TestStore(t *testing.T) {
	var s Store
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		for name, call := range map[string]func() (sessionstore.Entry, error){
			"get":    func() (sessionstore.Entry, error) { return s.Get(ctx, "key") },
			"create": func() (sessionstore.Entry, error) { return s.CompareAndSet(ctx, "key", nil, []byte("one"), time.Hour) },
			"replace": func() (sessionstore.Entry, error) {
				return s.CompareAndSet(ctx, "key", []byte("one"), []byte("two"), time.Hour)
			},
			"delete": func() (sessionstore.Entry, error) { return s.CompareAndDelete(ctx, "key", []byte("one")) },
			"touch": func() (sessionstore.Entry, error) {
				return sessionstore.Entry{}, s.Touch(ctx, "key", []byte("one"), time.Hour)
			},
		} {
			if e, err := call(); e.Found() || !errors.Is(err, ctx.Err()) {
				t.Errorf("%s: %v, %v", name, e, err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
