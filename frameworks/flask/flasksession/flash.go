package flasksession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var errFlashes = fmt.Errorf("%w: flash messages are corrupt", sessionstore.ErrRecord)

// itemsOf returns the items of a list or a tuple.
func itemsOf(v python.Value) ([]python.Value, bool) {
	switch v := v.(type) {
	case *python.List:
		return v.Items, true
	case *python.Tuple:
		return v.Items, true
	default:
		return nil, false
	}
}

// pairsOf returns the messages as they are stored, and the JSON of each: an array of category and
// message.
func pairsOf(v python.Value) (pairs []python.Value, texts []jsondoc.Value, err error) {
	pairs, ok := itemsOf(v)
	if !ok {
		return nil, nil, errFlashes
	}
	for _, pair := range pairs {
		both, ok := itemsOf(pair)
		if !ok || len(both) != 2 {
			return nil, nil, errFlashes
		}
		text, err := jsondoc.Parse(python.Render(&python.List{Items: both}), jsondoc.MaxDepth)
		if err != nil {
			return nil, nil, errFlashes
		}
		texts = append(texts, text)
	}
	return pairs, texts, nil
}

// readFlashes returns the messages in the form of a record. If one is not made of two strings, its
// stored form follows them as a third item.
func readFlashes(v python.Value) ([]byte, error) {
	_, texts, err := pairsOf(v)
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	var flashes []jsondoc.Value
	for _, text := range texts {
		both := text.Items()
		ours := []jsondoc.Value{jsondoc.NewString(shown(both[0])), jsondoc.NewString(shown(both[1]))}
		if both[0].Kind() != jsondoc.String || both[1].Kind() != jsondoc.String {
			ours = append(ours, text)
		}
		flashes = append(flashes, jsondoc.NewArray(ours...))
	}
	return jsondoc.NewArray(flashes...).AppendASCII(nil), nil
}

// shown is the text of a category or a message on a page.
func shown(v jsondoc.Value) string {
	if v.Kind() == jsondoc.Object && v.Len() == 1 {
		for name, markup := range v.Members() {
			if name == " m" {
				v = markup
			}
		}
	}
	return v.String()
}

// writeFlashes is the reverse of readFlashes: messages that were there keep their stored form. It
// returns nil if there are none.
func writeFlashes(was *origin, array []byte) (python.Value, error) {
	if len(array) == 0 {
		return nil, nil
	}
	doc, err := jsondoc.Parse(array, jsondoc.MaxDepth)
	if err != nil {
		return nil, errFlashes
	}
	known := make(map[string]python.Value)
	if v, found := was.dict.Get(flashesKey); found {
		pairs, texts, err := pairsOf(v)
		if err != nil {
			return nil, err
		}
		for i, text := range texts {
			known[text.ASCII()] = pairs[i]
		}
	}
	list := new(python.List)
	for _, item := range doc.Items() {
		if both := item.Items(); len(both) == 3 {
			item = both[2]
		}
		pair, found := known[item.ASCII()]
		if !found {
			var items []python.Value
			for _, text := range item.Items() {
				v, err := python.New(text, was.form.maker())
				if err != nil {
					return nil, err
				}
				items = append(items, v)
			}
			pair = was.form.maker().Tuple(items)
		}
		list.Items = append(list.Items, pair)
	}
	return list, nil
}
