package httpsession

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

type key struct{}

// From returns the session of a request that has passed [Middleware], or nil.
func From(ctx context.Context) *Session {
	s, _ := ctx.Value(key{}).(*Session)
	return s
}

// Session is the session of one request, which may not exist yet. Only the goroutine of the handler
// may use it.
type Session struct {
	// Loaded is the session as it was when the request arrived.
	Loaded *sessionstore.Session

	// Change is what the middleware saves before the first byte of the response. Set its fields for
	// a new id (Regenerate, after each login), a logout (Destroy) or messages (Flashes). Edits are
	// added by [Session.Edit].
	Change sessionstore.Change

	// edited are the data with all edits applied. It is valid if there are edits.
	edited jsondoc.Value

	committed, touch bool
}

// data returns the data with all edits applied.
func (s *Session) data() (jsondoc.Value, error) {
	if len(s.Change.Edits) > 0 {
		return s.edited, nil
	}
	return jsondoc.Parse(s.Loaded.Data(), jsondoc.MaxDepth)
}

// Get returns a field of the data, a dotted path such as "user.name": a string, [json.Number],
// bool, []any or map[string]any, or nil if there is none. It includes the edits.
func (s *Session) Get(field string) any {
	path, err := sessionstore.ParseField(field)
	if err != nil {
		return nil
	}
	data, err := s.data()
	if err != nil {
		return nil
	}
	value, _ := data.Lookup(path)
	return value.Native()
}

// Decode stores the data in what v points to, as [json.Unmarshal] does. It includes the edits.
func (s *Session) Decode(v any) error {
	data, err := s.data()
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(data.ASCII()), v)
}

// Set sets a field, a dotted path such as "user.name", to value as encoding/json encodes it.
func (s *Session) Set(field string, value any) error { return s.Edit(sessionstore.Set(field, value)) }

// Remove removes a field if it is there.
func (s *Session) Remove(field string) error { return s.Edit(sessionstore.Remove(field)) }

var errLate = errors.New("the session is saved before the response begins: change it before that")

// Edit adds an edit to the change. An error means that the edit cannot be applied to the data, or
// that the response has begun. The edit is then not added.
func (s *Session) Edit(e sessionstore.Edit) error {
	if s.committed {
		return errLate
	}
	before, err := s.data()
	if err != nil {
		return err
	}
	after, err := e.Apply(before, jsondoc.NewBudget(math.MaxInt))
	if err != nil {
		return err
	}
	s.edited = after
	s.Change.Edits = append(s.Change.Edits, e)
	return nil
}
