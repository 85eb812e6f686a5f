package flask

import (
	"fmt"
	"slices"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

// flash is a message: as it stands in Flask's session, and as a record has it.
type flash struct{ theirs, ours string }

// readFlashes reads Flask's list of tuples.
func readFlashes(v jsondoc.Value) ([]flash, error) {
	if v.Kind() != jsondoc.Array {
		return nil, errFlashes
	}
	var flashes []flash
	for _, item := range v.Items() {
		pair := item
		if tagged, tag, ok := tagged(item); ok && tag == tagTuple {
			pair = tagged
		}
		both := pair.Items()
		if len(both) != 2 {
			return nil, errFlashes
		}
		ours := jsondoc.NewArray(jsondoc.NewString(text(both[0])), jsondoc.NewString(text(both[1])))
		flashes = append(flashes, flash{item.ASCII(), ours.ASCII()})
	}
	return flashes, nil
}

var errFlashes = fmt.Errorf("%w: its messages are damaged", sessionstore.ErrRecord)

// text is what a page shows of a category or a message.
func text(v jsondoc.Value) string {
	if markup, tag, ok := tagged(v); ok && tag == tagMarkup {
		v = markup
	}
	return v.String()
}

func joined(flashes []flash) []byte {
	if len(flashes) == 0 {
		return nil
	}
	list := []byte{'['}
	for i, f := range flashes {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, f.ours...)
	}
	return append(list, ']')
}

// writeFlashes is the reverse of readFlashes. A message that waited before stays as it was.
func writeFlashes(list []byte, before []flash) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	doc, err := jsondoc.Parse(list, sessionstore.MaxDepth)
	if err != nil {
		return "", errFlashes
	}
	before = slices.Clone(before)
	var items []jsondoc.Value
	for _, item := range doc.Items() {
		theirs := `{"` + tagTuple + `":` + item.ASCII() + `}`
		if i := slices.IndexFunc(before, func(f flash) bool { return f.ours == item.ASCII() }); i >= 0 {
			theirs = before[i].theirs
			before = slices.Delete(before, i, i+1)
		}
		value, err := jsondoc.Parse(theirs, sessionstore.MaxDepth)
		if err != nil {
			return "", errFlashes
		}
		items = append(items, value)
	}
	return jsondoc.NewArray(items...).ASCII(), nil
}
