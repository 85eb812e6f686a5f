package sessionstore_test

import (
	"context"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestTheReadPathIsCheap: every request that Caddy serves pays for this.
func TestTheReadPathIsCheap(t *testing.T) {
	m, id := bare(t)
	unknown := sessionstore.NewID()
	s, _ := m.Load(context.Background(), id, here)
	rec := examples["all of it"]
	value, err := sessionstore.Native{}.Encode(&rec)
	if err != nil {
		t.Fatal(err)
	}
	none, same := change(), change(update(`{"visits":17}`))
	for name, c := range map[string]struct {
		most float64
		do   func()
	}{
		// The ref, the session, and the context with its timer.
		"load":                  {6, func() { _, _ = m.Load(context.Background(), id, here) }},
		"load of nothing":       {6, func() { _, _ = m.Load(context.Background(), unknown, here) }},
		"load of another scope": {6, func() { _, _ = m.Load(context.Background(), id, sessionstore.Scope{}) }},
		"decode":                {0, func() { _ = sessionstore.Native{}.Decode(value, &rec) }},
		"encode":                {1, func() { _, _ = sessionstore.Native{}.Encode(&rec) }},
		"what it says": {0, func() {
			_, _, _, _ = s.Data(), s.Flash(), s.Ref(), s.Expires()
			_, _, _, _ = s.Exists(), s.Former(), s.TouchDue(), m.RefreshInterval(s)
		}},
		"no change":      {0, func() { _, _ = m.Commit(context.Background(), s, none) }},
		"valid id":       {0, func() { _ = sessionstore.ValidID(id) }},
		"touched before": {5, func() { _ = m.Touch(context.Background(), s) }},
		"the same data":  {24, func() { _, _ = m.Commit(context.Background(), s, same) }},
	} {
		if got := testing.AllocsPerRun(200, c.do); got > c.most {
			t.Errorf("%s: %v allocations, at most %v are allowed", name, got, c.most)
		} else {
			t.Logf("%s: %v", name, got)
		}
	}
}
