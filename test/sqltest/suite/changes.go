package suite

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// change sets a field of a session.
func change(t testing.TB, text string) *sessionstore.Change {
	edit, err := sessionstore.ParseEdit(text)
	if err != nil {
		t.Fatal(err)
	}
	return &sessionstore.Change{Edits: []sessionstore.Edit{edit}}
}

// changeThrough creates a session and changes n fields concurrently, through two managers.
func changeThrough(t testing.TB, ctx context.Context, managers []*sessionstore.Manager, n int) {
	t.Helper()
	here := sessionstore.Scope{}
	out, err := managers[0].Commit(ctx, &sessionstore.Session{Scope: here}, change(t, `{"first":0}`))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			m := managers[i%len(managers)]
			s, err := m.Load(ctx, out.ID, here)
			if err == nil {
				_, err = m.Commit(ctx, s, change(t, fmt.Sprintf(`{"k%d":%d}`, i, i)))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s, err := managers[0].Load(ctx, out.ID, here)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsondoc.Parse(s.Data(), 1<<16)
	if err != nil || doc.Len() != n+1 {
		t.Errorf("%v; the session is %s", err, s.Data())
	}
}
