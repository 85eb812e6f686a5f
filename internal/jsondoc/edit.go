package jsondoc

import "errors"

// Edit changes a document. After a conflict of two saves, it is applied again, to another document.
// So it must change neither itself nor doc.
type Edit interface {
	// Apply returns the changed document. It returns an error if the edit cannot be applied to this
	// document, or is beyond the budget, which all edits of a change share.
	Apply(doc Value, budget *Budget) (Value, error)
}

// MaxUpdateDepth is how deep the text of an edit may nest: the values of a JSON Patch are in
// objects in an array.
const MaxUpdateDepth = MaxDepth + 2

var errNoEdit = errors.New("an update is a JSON object or array")

// ParseEdit returns the edit in a value that was parsed with [MaxUpdateDepth]: an object is a merge
// patch (RFC 7396), an array a JSON Patch (RFC 6902) with the further operations increment and
// append.
func ParseEdit(v Value) (Edit, error) {
	switch v.Kind() {
	case Object:
		if depthOf(v.text) > MaxDepth {
			return nil, ErrTooDeep
		}
		return merge{v}, nil
	case Array:
		return ParsePatch(v)
	default:
		return nil, errNoEdit
	}
}

// merge is the edit of a merge patch.
type merge struct{ patch Value }

// Apply implements [Edit].
func (e merge) Apply(doc Value, budget *Budget) (Value, error) {
	return MergePatch(doc, e.patch, budget)
}

// Assign is the [Edit] that sets one field, or removes it.
type Assign struct {
	Field Path

	// Value is the new value of the field. If it is nil, the field is removed.
	Value *Value
}

// Apply implements [Edit].
func (e Assign) Apply(doc Value, budget *Budget) (Value, error) {
	if err := budget.Move(doc.Size()); err != nil {
		return doc, err
	}
	if e.Value == nil {
		return Remove(doc, e.Field)
	}
	doc, err := Set(doc, e.Field, *e.Value)
	if err == nil {
		err = budget.Size(doc.Size())
	}
	return doc, err
}
