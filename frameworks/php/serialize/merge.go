package serialize

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Merge returns the array for this JSON object. Each part whose JSON is unchanged keeps its value.
// An error wraps [sessionstore.ErrInvalid]: a tag has a wrong value, or a marker stands for no
// value or for several.
func (a *Array) Merge(doc jsondoc.Value) (*Array, error) {
	m := merger{before: a, marks: make(marks)}
	root := &Value{kind: array, items: a.items()}
	v, err := m.array(root, doc, 1)
	if err != nil {
		return nil, err
	}
	return &Array{root: v, was: a.was, unknown: a.unknown}, nil
}

// New returns the value for this JSON.
func New(doc jsondoc.Value) (*Value, error) {
	m := merger{before: new(Array), marks: make(marks)}
	return m.value(nil, doc, 1)
}

type merger struct {
	before *Array
	marks  marks

	// known are the values that markers stand for. It is filled when first needed.
	known map[string]*marked
}

// marked is a value that a marker stands for.
type marked struct {
	value *Value

	// several says that other values look the same, and that they may differ.
	several bool
}

// json returns the JSON of a value. It is empty if it is too large.
func (m *merger) json(v *Value, level int) string {
	w := renderer{marks: m.marks}
	w.value(v, level)
	if w.large {
		return ""
	}
	return string(w.out)
}

// value returns the value for doc. level is how deep it would be as an array.
func (m *merger) value(before *Value, doc jsondoc.Value, level int) (*Value, error) {
	if before != nil && m.json(before, level) == doc.ASCII() {
		return before, nil
	}
	if before != nil && before.marked(level) {
		before = nil
	}
	switch doc.Kind() {
	case jsondoc.Object:
		if doc.Len() == 1 {
			for name, value := range doc.Members() {
				if isTag(name) {
					return m.tagged(name, value)
				}
			}
		}
		return m.array(before, doc, level)
	case jsondoc.Array:
		return m.list(before, doc, level)
	case jsondoc.String:
		return Str(doc.String()), nil
	case jsondoc.Number:
		return newNumber(doc.ASCII())
	case jsondoc.Bool:
		if doc.ASCII() == "true" {
			return &Value{kind: boolean, raw: "b:1;"}, nil
		}
		return &Value{kind: boolean, raw: "b:0;"}, nil
	default:
		return &Value{kind: null, raw: "N;"}, nil
	}
}

// newNumber returns an integer, or a float if PHP has no such integer.
func newNumber(digits string) (*Value, error) {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil && digits != "-0" {
		s := strconv.FormatInt(n, 10)
		return &Value{kind: integer, raw: "i:" + s + ";", str: s}, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: a number exceeds the range of PHP's float", sessionstore.ErrInvalid)
	}
	s := phpFloat(f)
	return &Value{kind: float, raw: "d:" + s + ";", str: s}, nil
}

// phpFloat is a float as PHP's serialize() writes it with serialize_precision -1.
func phpFloat(f float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	n, _ := strconv.Atoi(exponent)
	switch {
	case f == 0 && math.Signbit(f):
		return "-0"
	case f == 0 || -5 < n && n < 17:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return fmt.Sprintf("%sE%+d", mantissa, n)
}

// array keeps the order of the items before.
func (m *merger) array(before *Value, doc jsondoc.Value, level int) (*Value, error) {
	values := maps.Collect(doc.Members())
	v, done := &Value{kind: array}, make(map[string]bool)
	if before != nil && before.kind == array {
		for _, it := range before.items {
			name := jsondoc.NewString(it.key.str).String()
			value, found := values[name]
			if !found || done[name] {
				continue
			}
			next, err := m.value(it.value, value, level+1)
			if err != nil {
				return nil, err
			}
			v.items, done[name] = append(v.items, item{it.key, next}), true
		}
	}
	for name, value := range doc.Members() {
		if done[name] {
			continue
		}
		next, err := m.value(nil, value, level+1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item{newKey(name), next})
	}
	return v, nil
}

// list keeps each item that is at its former place, and finds those that have moved by their JSON.
// If the length has changed, nobody can tell which of several that look the same is gone.
func (m *merger) list(before *Value, doc jsondoc.Value, level int) (*Value, error) {
	var was []*Value
	if before != nil {
		was, _ = before.Items()
	}
	texts, places, twice := make([]string, len(was)), make(map[string]int, len(was)), make(map[string]bool)
	for i, item := range was {
		texts[i] = m.json(item, level+1)
		_, twice[texts[i]] = places[texts[i]]
		places[texts[i]] = i
	}
	var values []*Value
	changed := doc.Len() != len(was)
	for i, item := range doc.Items() {
		at, found := places[item.ASCII()]
		if i < len(was) && (texts[i] == item.ASCII() || !found) {
			at, found = i, true
		}
		var old *Value
		if found {
			old = was[at]
		}
		if found && changed && twice[texts[at]] && old.marked(level+1) && m.marks.of(old).leads {
			return nil, errSeveral
		}
		v, err := m.value(old, item, level+1)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return List(values...), nil
}

func (m *merger) tagged(tag string, value jsondoc.Value) (*Value, error) {
	if value.Kind() == jsondoc.String && tag == tagBytes {
		if b, err := base64.StdEncoding.DecodeString(value.String()); err == nil {
			return Str(string(b)), nil
		}
	}
	if value.Kind() != jsondoc.String || tag == tagBytes {
		return nil, fmt.Errorf("%w: the tag %q has a wrong value", sessionstore.ErrInvalid, tag)
	}
	if m.known == nil {
		m.known = make(map[string]*marked)
		for _, it := range m.before.items() {
			m.collect(it.value, 2)
		}
	}
	switch found := m.known[value.String()]; {
	case found == nil:
		return nil, fmt.Errorf("%w: a marker stands for a value that is not in the session", sessionstore.ErrInvalid)
	case found.several:
		return nil, errSeveral
	default:
		return found.value, nil
	}
}

var errSeveral = fmt.Errorf("%w: a marker that has moved stands for several values", sessionstore.ErrInvalid)

// collect adds the values in v that have markers to known.
func (m *merger) collect(v *Value, level int) {
	if !v.marked(level) {
		for _, it := range v.items {
			m.collect(it.value, level+1)
		}
		return
	}
	if v.target != nil {
		v = v.target
	}
	is := m.marks.of(v)
	if other := m.known[is.text]; other == nil {
		m.known[is.text] = &marked{value: v}
	} else if other.value != v && is.leads {
		other.several = true
	}
}
