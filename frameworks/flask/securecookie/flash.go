package securecookie

import (
	"fmt"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// readFlashes reads Flask's list of tuples into the form of a record.
func readFlashes(v jsondoc.Value) ([]byte, error) {
	if v.Kind() != jsondoc.Array {
		return nil, errFlashes
	}
	var flashes []jsondoc.Value
	for _, item := range v.Items() {
		if pair, tag, ok := tagged(item); ok && tag == tagTuple {
			item = pair
		}
		both := item.Items()
		if len(both) != 2 {
			return nil, errFlashes
		}
		ours := []jsondoc.Value{jsondoc.NewString(text(both[0])), jsondoc.NewString(text(both[1]))}
		if ours[0] != both[0] || ours[1] != both[1] {
			ours = append(ours, jsondoc.NewArray(both...))
		}
		flashes = append(flashes, jsondoc.NewArray(ours...))
	}
	if len(flashes) == 0 {
		return nil, nil
	}
	return jsondoc.NewArray(flashes...).AppendASCII(nil), nil
}

var errFlashes = fmt.Errorf("%w: flash messages are corrupt", sessionstore.ErrRecord)

// text is the text of a category or a message on a page.
func text(v jsondoc.Value) string {
	if markup, tag, ok := tagged(v); ok && tag == tagMarkup {
		v = markup
	}
	return v.String()
}

// writeFlashes is the reverse of readFlashes.
func writeFlashes(list []byte) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	doc, err := jsondoc.Parse(list, jsondoc.MaxDepth)
	if err != nil {
		return "", errFlashes
	}
	var tuples []string
	for _, item := range doc.Items() {
		pair := item
		if items := item.Items(); len(items) == 3 {
			pair = items[2]
		}
		tuples = append(tuples, `{"`+tagTuple+`":`+pair.ASCII()+`}`)
	}
	return "[" + strings.Join(tuples, ",") + "]", nil
}
