package sessionstore

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// Edit changes a session's data: see [Set], [Remove], [Increment], [Append], [Merge] and
// [ParseEdit]. If another change was saved in between, it is applied again, to the newer data.
type Edit = jsondoc.Edit

// Field names a field of a session's data: see [ParseField].
type Field = jsondoc.Path

// ParseField reads a dotted path: "user.name". A segment is the name of a member or, in a list, the
// index of an item, from 0. Names that contain a dot cannot be written.
func ParseField(path string) (Field, error) { return jsondoc.ParsePath(path) }

// ParseEdit reads an edit in JSON: an object is a merge patch (RFC 7396), an array a JSON Patch
// (RFC 6902) with the further operations increment and append. An error wraps [ErrInvalid].
func ParseEdit[T ~string | ~[]byte](text T) (Edit, error) {
	v, err := jsondoc.Parse(text, jsondoc.MaxUpdateDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	edit, err := jsondoc.ParseEdit(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return edit, nil
}

// Set sets a field, a dotted path as [ParseField] reads it, to value as encoding/json encodes it.
// Missing objects on the path are added. If the path or the value is not valid, the commit fails
// with [ErrInvalid].
func Set(field string, value any) Edit {
	path, err := ParseField(field)
	if err != nil {
		return failing{err}
	}
	v, err := valueOf(value)
	if err != nil {
		return failing{err}
	}
	return jsondoc.Assign{Field: path, Value: &v}
}

// Remove removes a field, a dotted path as [ParseField] reads it, if it is there.
func Remove(field string) Edit {
	path, err := ParseField(field)
	if err != nil {
		return failing{err}
	}
	return jsondoc.Assign{Field: path}
}

// Increment adds to a number. A missing field counts as 0. Requests that add to one number at once
// lose nothing: each adds to the number at the time of its save.
func Increment(field string, by int64) Edit { return operation("increment", field, by) }

// Append adds value, as encoding/json encodes it, to the end of a list. A missing field counts as
// an empty list. Requests that add to one list at once lose nothing.
func Append(field string, value any) Edit { return operation("append", field, value) }

// operation returns a JSON Patch of one operation.
func operation(op, field string, value any) Edit {
	path, err := ParseField(field)
	if err != nil {
		return failing{err}
	}
	pointer := "/" + strings.ReplaceAll(strings.NewReplacer("~", "~0", "/", "~1").Replace(path.String()), ".", "/")
	v, err := valueOf([]any{map[string]any{"op": op, "path": pointer, "value": value}})
	if err != nil {
		return failing{err}
	}
	edit, err := jsondoc.ParseEdit(v)
	if err != nil {
		return failing{err}
	}
	return edit
}

// Merge is a merge patch (RFC 7396): it sets the fields, and removes those that are nil. Objects in
// them are merged in the same way. encoding/json encodes the values.
func Merge(fields map[string]any) Edit {
	v, err := valueOf(fields)
	if err != nil {
		return failing{err}
	}
	edit, err := jsondoc.ParseEdit(v)
	if err != nil {
		return failing{err}
	}
	return edit
}

func valueOf(v any) (jsondoc.Value, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return jsondoc.Value{}, fmt.Errorf("a value of type %T is not valid JSON data", v)
	}
	return jsondoc.Parse(text, jsondoc.MaxUpdateDepth)
}

// failing is an edit that could not be made. The commit returns its error.
type failing struct{ err error }

func (e failing) Apply(doc jsondoc.Value, _ *jsondoc.Budget) (jsondoc.Value, error) {
	return doc, e.err
}
