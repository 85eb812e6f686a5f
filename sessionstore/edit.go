package sessionstore

import (
	"fmt"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// Merge is the [Edit] of a merge patch, RFC 7396.
type Merge struct {
	// Patch is a JSON object.
	Patch jsondoc.Value
}

// Apply implements [Edit].
func (e Merge) Apply(doc jsondoc.Value, budget *jsondoc.Budget) (jsondoc.Value, error) {
	return jsondoc.MergePatch(doc, e.Patch, budget)
}

// Assign is the [Edit] that sets one field, or removes it.
type Assign struct {
	Field jsondoc.Path

	// Value is what the field becomes. If it is nil, the field is removed.
	Value *jsondoc.Value
}

// Apply implements [Edit].
func (e Assign) Apply(doc jsondoc.Value, budget *jsondoc.Budget) (jsondoc.Value, error) {
	if err := budget.Move(doc.Size()); err != nil {
		return doc, err
	}
	if e.Value == nil {
		return jsondoc.Remove(doc, e.Field)
	}
	doc, err := jsondoc.Set(doc, e.Field, *e.Value)
	if err == nil {
		err = budget.Size(doc.Size())
	}
	return doc, err
}

// MaxUpdateDepth is how deep the text of an update may nest: a JSON Patch holds its values in
// objects of an array.
const MaxUpdateDepth = MaxDepth + 2

// ParseEdit makes an edit of a JSON value: a merge patch of an object, a
// JSON Patch (RFC 6902, with the operation increment) of an array. The value was parsed with
// [MaxUpdateDepth].
func ParseEdit(v jsondoc.Value) (Edit, error) {
	switch v.Kind() {
	case jsondoc.Object:
		if _, err := jsondoc.Parse(v.AppendASCII(nil), MaxDepth); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return Merge{Patch: v}, nil
	case jsondoc.Array:
		patch, err := jsondoc.ParsePatch(v)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return patch, nil
	default:
		return nil, fmt.Errorf("%w: an update is a JSON object or array", ErrInvalid)
	}
}
