package python

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Maker makes a new value for each tag, in the way that a serialization stores it. Markup is nil if
// the serialization has no Markup.
type Maker struct {
	Tuple    func(items []Value) Value
	Bytes    func(b string) Value
	Markup   func(text string) Value
	UUID     func(digits string) (Value, bool)
	Datetime func(t time.Time) Value
}

// New returns a new value for this JSON. Its errors are those of [Merge].
func New(doc jsondoc.Value, maker *Maker) (Value, error) {
	m := merger{make: maker, before: None{}}
	return m.value(nil, doc)
}

// Merge returns the dict for this JSON. Each part whose JSON is unchanged keeps its value from
// before, which may be nil. What is in the JSON once more is a copy. An error wraps
// [sessionstore.ErrInvalid]: a tag has a wrong value, or a marker stands for no value or for
// several.
func Merge(before *Dict, doc jsondoc.Value, maker *Maker) (*Dict, error) {
	m := merger{make: maker}
	if before == nil {
		before = new(Dict)
	}
	v, err := m.value(before, doc)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("%w: the data is not a JSON object", sessionstore.ErrInvalid)
	}
	separate(before, d)
	return d, nil
}

type merger struct {
	make *Maker

	// known are the values in before that JSON does not fully show, by their JSON. It is filled
	// when first needed.
	before Value
	known  map[string][]Value
}

func (m *merger) value(before Value, doc jsondoc.Value) (Value, error) {
	if m.before == nil {
		m.before = before
	}
	was := ""
	if before != nil {
		if was = Render(before); was == doc.ASCII() {
			return before, nil
		}
	}
	switch doc.Kind() {
	case jsondoc.Object:
		for name, value := range doc.Members() {
			switch {
			case !isTag(name):
			case doc.Len() == 1:
				return m.tagged(before, doc, name, value)
			case isTagged(was, name):
				return nil, fmt.Errorf("%w: %q stands for one value, which can only be replaced as a whole", sessionstore.ErrInvalid, name)
			}
		}
		return m.dict(before, doc, "")
	case jsondoc.Array:
		var items []Value
		if list, ok := before.(*List); ok {
			items = list.Items
		}
		items, err := m.items(items, doc)
		return &List{items}, err
	case jsondoc.String:
		return Str(doc.String()), nil
	case jsondoc.Number:
		text := doc.ASCII()
		if !strings.ContainsAny(text, ".eE") {
			return Int(text), nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: a number exceeds the range of Python's float", sessionstore.ErrInvalid)
		}
		return Float(f), nil
	case jsondoc.Bool:
		return Bool(doc.ASCII() == "true"), nil
	default:
		return None{}, nil
	}
}

// isTagged reports whether this JSON is one value with this tag.
func isTagged(text, tag string) bool {
	doc, err := jsondoc.Parse([]byte(text), maxTree)
	if err != nil || doc.Kind() != jsondoc.Object || doc.Len() != 1 {
		return false
	}
	for name := range doc.Members() {
		return name == tag
	}
	return false
}

// dict keeps the order of the items before. The names in doc end with suffix, which is removed.
func (m *merger) dict(before Value, doc jsondoc.Value, suffix string) (Value, error) {
	was, _ := before.(*Dict)
	if was == nil {
		was = new(Dict)
	}
	values := make(map[string]jsondoc.Value, doc.Len())
	var names []string
	for name, value := range doc.Members() {
		name = strings.TrimSuffix(name, suffix)
		values[name], names = value, append(names, name)
	}
	d := new(Dict)
	for _, p := range was.Pairs {
		name, _ := Text(p.Key)
		if value, found := values[name]; found {
			v, err := m.value(p.Value, value)
			if err != nil {
				return nil, err
			}
			d.Add(p.Key, v)
		}
	}
	for _, name := range names {
		if _, done := d.Get(name); done {
			continue
		}
		v, err := m.value(nil, values[name])
		if err != nil {
			return nil, err
		}
		d.Add(Str(name), v)
	}
	return d, nil
}

// items keeps each item that is at its former place, and finds those that moved by their JSON.
func (m *merger) items(before []Value, doc jsondoc.Value) ([]Value, error) {
	rendered := make([]string, len(before))
	places := make(map[string]int, len(before))
	for i, item := range before {
		rendered[i] = Render(item)
		places[rendered[i]] = i
	}
	var items []Value
	for i, item := range doc.Items() {
		var was Value
		if i < len(before) {
			was = before[i]
		}
		if i >= len(before) || rendered[i] != item.ASCII() {
			if at, found := places[item.ASCII()]; found {
				was = before[at]
			}
		}
		v, err := m.value(was, item)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (m *merger) tagged(before Value, doc jsondoc.Value, tag string, value jsondoc.Value) (Value, error) {
	invalid := fmt.Errorf("%w: the tag %q has a wrong value", sessionstore.ErrInvalid, tag)
	switch tag {
	case tagTuple:
		if value.Kind() != jsondoc.Array {
			return nil, invalid
		}
		var items []Value
		if t, ok := before.(*Tuple); ok {
			items = t.Items
		}
		items, err := m.items(items, value)
		if err != nil {
			return nil, err
		}
		return m.make.Tuple(items), nil
	case tagDict:
		for name := range value.Members() {
			if value.Len() == 1 && strings.HasSuffix(name, "__") {
				return m.dict(before, value, "__")
			}
		}
		return nil, invalid
	}
	if value.Kind() != jsondoc.String {
		return nil, invalid
	}
	if v, err := m.lookup(doc.ASCII(), tag); v != nil || err != nil {
		return v, err
	}
	return m.newTagged(tag, value.String(), invalid)
}

// newTagged makes a new value from the text of a tag.
func (m *merger) newTagged(tag, text string, invalid error) (Value, error) {
	switch tag {
	case tagBytes:
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return m.make.Bytes(string(b)), nil
		}
	case tagMarkup:
		if m.make.Markup == nil {
			return nil, fmt.Errorf("%w: the app's format has no Markup", sessionstore.ErrInvalid)
		}
		return m.make.Markup(text), nil
	case tagUUID:
		if v, ok := m.make.UUID(text); ok {
			return v, nil
		}
	case tagDatetime:
		if t, err := http.ParseTime(text); err == nil {
			return m.make.Datetime(t), nil
		}
	case tagOpaque:
		return nil, fmt.Errorf("%w: a marker stands for a value that is not in the session", sessionstore.ErrInvalid)
	}
	return nil, invalid
}

// lookup returns the value in before that has this JSON, or nil. Two datetimes may have the same
// JSON, which has no microseconds.
func (m *merger) lookup(text, tag string) (Value, error) {
	if m.known == nil {
		m.known = make(map[string][]Value)
		m.collect(m.before)
	}
	found := m.known[text]
	if len(found) > 1 && tag == tagDatetime {
		return nil, fmt.Errorf("%w: the session has several datetimes that look the same", sessionstore.ErrInvalid)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// collect adds the tagged and marked values of v to known.
func (m *merger) collect(v Value) {
	switch v := v.(type) {
	case *Dict:
		text := Render(v)
		if strings.HasPrefix(text, `{"`+tagOpaque+`":`) {
			m.add(text, v)
			return
		}
		for _, p := range v.Pairs {
			m.collect(p.Value)
		}
	case *List:
		for _, item := range v.Items {
			m.collect(item)
		}
	case *Tuple:
		for _, item := range v.Items {
			m.collect(item)
		}
	case None, Bool, Int, Bytes:
	default:
		m.add(Render(v), v)
	}
}

// add adds a value, unless it is known. Of more than two with one JSON, none needs to be told from
// the others.
func (m *merger) add(text string, v Value) {
	if len(m.known[text]) > 1 {
		return
	}
	for _, other := range m.known[text] {
		if other == v || hashOf(other) == hashOf(v) {
			return
		}
	}
	m.known[text] = append(m.known[text], v)
}
