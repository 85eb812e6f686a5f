package sessionstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

var here = sessionstore.Scope{Site: "name ", Host: "example.org"}

// rig is a manager on a store in memory that a test can interfere with.
type rig struct {
	testing.TB
	*sessionstore.Manager
	store  *faults
	ledger *ledger
}

func newRig(t testing.TB, o sessionstore.Options) *rig {
	// Sweeping is not what is tested here, and takes time in a bubble of a month.
	mem := memory.New(memory.Options{Now: o.Now, SweepInterval: 1e6 * time.Hour})
	t.Cleanup(func() { _ = mem.Close() })
	r := &rig{TB: t, ledger: &ledger{Store: mem, keys: map[string]bool{}}}
	return r.another(o)
}

// another is a manager of another process, or configuration, on the same store.
func (r *rig) another(o sessionstore.Options) *rig {
	store := &faults{Store: r.ledger}
	return &rig{TB: r.TB, Manager: sessionstore.NewManager(store, o), store: store, ledger: r.ledger}
}

// bubble runs f with time that passes only when everybody waits.
func bubble(t *testing.T, o sessionstore.Options, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRig(t, o)) })
}

// part is something that a response asks for.
type part func(*sessionstore.Change)

func change(parts ...part) *sessionstore.Change {
	c := new(sessionstore.Change)
	for _, p := range parts {
		p(c)
	}
	return c
}

func parse(text string) jsondoc.Value {
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		panic(err)
	}
	return v
}

func update(text string) part {
	e, err := sessionstore.ParseEdit(text)
	if err != nil {
		panic(err)
	}
	return edit(e)
}

func edit(e sessionstore.Edit) part {
	return func(c *sessionstore.Change) { c.Edits = append(c.Edits, e) }
}

// editFunc is an edit that a test watches.
type editFunc func(jsondoc.Value, *jsondoc.Budget) (jsondoc.Value, error)

func (f editFunc) Apply(doc jsondoc.Value, budget *jsondoc.Budget) (jsondoc.Value, error) {
	return f(doc, budget)
}

func flash(text string) part {
	f, err := sessionstore.ParseFlash(text)
	if err != nil {
		panic(err)
	}
	return func(c *sessionstore.Change) { c.Flashes = append(c.Flashes, f) }
}

func seen(c *sessionstore.Change) { c.FlashSeen = true }

func seenOf(categories ...string) part {
	return func(c *sessionstore.Change) { c.FlashSeen, c.FlashCategories = true, append([]string{}, categories...) }
}

func regenerate(c *sessionstore.Change) { c.Regenerate = true }
func destroy(c *sessionstore.Change)    { c.Destroy = true }

func permanent(on bool) part {
	return func(c *sessionstore.Change) { c.Permanent = &on }
}

func idle(d time.Duration) part {
	return func(c *sessionstore.Change) { c.IdleTimeout = &d }
}

func paths(texts ...string) (list []jsondoc.Path) {
	for _, text := range texts {
		p, err := jsondoc.ParsePath(text)
		if err != nil {
			panic(err)
		}
		list = append(list, p)
	}
	return list
}

func (r *rig) try(s *sessionstore.Session, parts ...part) (sessionstore.Outcome, error) {
	return r.Commit(context.Background(), s, change(parts...))
}

// do is try that must succeed.
func (r *rig) do(s *sessionstore.Session, parts ...part) sessionstore.Outcome {
	r.Helper()
	out, err := r.try(s, parts...)
	if err != nil {
		r.Errorf("committing: %v", err)
	}
	return out
}

// refuse is try that must end with an error, and returns it.
func (r *rig) refuse(want error, s *sessionstore.Session, parts ...part) {
	r.Helper()
	out, err := r.try(s, parts...)
	if !errors.Is(err, want) {
		r.Errorf("committing: %+v and the error %v, want %v", out, err, want)
	}
	if err != nil && (out.Cookie != sessionstore.CookieKept || out.ID != "" || out.Result != sessionstore.Unchanged) {
		r.Errorf("an outcome beside an error: %+v", out)
	}
}

// begin makes a session and returns its id.
func (r *rig) begin(parts ...part) string {
	r.Helper()
	out := r.do(&sessionstore.Session{Scope: here}, parts...)
	if out.Result != sessionstore.Saved || out.Cookie != sessionstore.CookieSet || !sessionstore.ValidID(out.ID) || out.Ref != sessionstore.Ref(out.ID) {
		r.Fatalf("beginning a session: %+v", out)
	}
	return out.ID
}

func (r *rig) load(id string) *sessionstore.Session {
	r.Helper()
	s, err := r.Load(context.Background(), id, here)
	if err != nil {
		r.Errorf("loading: %v", err)
	}
	return s
}

// exists is load that must find a session.
func (r *rig) exists(id string) *sessionstore.Session {
	r.Helper()
	s := r.load(id)
	if !s.Exists() {
		r.Fatal("the session is gone")
	}
	return s
}

// gone checks that nobody finds a session under id.
func (r *rig) gone(id string) {
	r.Helper()
	if s := r.load(id); s.Exists() || s.Ref() != "" || s.Data() != "{}" || s.Flash() != "" {
		r.Errorf("there is a session, with %s", s.Data())
	}
}

// want checks the data of a session.
func (r *rig) want(id string, oneOf ...string) {
	r.Helper()
	if s := r.load(id); !s.Exists() || !slices.Contains(oneOf, s.Data()) {
		r.Errorf("exists %t, data %s, want %s", s.Exists(), s.Data(), strings.Join(oneOf, " or "))
	}
}

// outcome checks what a commit says.
func (r *rig) outcome(got sessionstore.Outcome, result sessionstore.Result, cookie sessionstore.Cookie) {
	r.Helper()
	if got.Result != result || got.Cookie != cookie {
		r.Errorf("result %d, cookie %d, want %d, %d", got.Result, got.Cookie, result, cookie)
	}
	if (got.ID != "") != (cookie == sessionstore.CookieSet) {
		r.Errorf("cookie %d with id %q", cookie, got.ID)
	}
}

// entry is what the store holds under an id, seen by nobody.
func (r *rig) entry(id string) sessionstore.Entry {
	r.Helper()
	e, err := r.ledger.Get(context.Background(), sessionstore.Ref(id))
	if err != nil {
		r.Error(err)
	}
	return e
}

// records are all that is in the store.
func (r *rig) records() map[string]sessionstore.Record {
	r.Helper()
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	found := map[string]sessionstore.Record{}
	for key := range r.ledger.keys {
		e, err := r.ledger.Get(context.Background(), key)
		if err != nil {
			r.Error(err)
		}
		if e.Found() {
			var rec sessionstore.Record
			if err := (sessionstore.Native{}).Decode(e.Value, &rec); err != nil {
				r.Error(err)
			}
			found[key] = rec
		}
	}
	return found
}

// count is how many records of a state there are.
func (r *rig) count(state sessionstore.State) int {
	r.Helper()
	n := 0
	for _, rec := range r.records() {
		if rec.State == state {
			n++
		}
	}
	return n
}

// plant puts a record into the store as a manager would, or another program.
func (r *rig) plant(id string, value []byte, ttl time.Duration) {
	r.Helper()
	if _, err := r.ledger.CompareAndSet(context.Background(), sessionstore.Ref(id), r.entry(id).Value, value, ttl); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) encode(rec sessionstore.Record) []byte {
	r.Helper()
	value, err := sessionstore.Native{}.Encode(&rec)
	if err != nil {
		r.Fatal(err)
	}
	return value
}
