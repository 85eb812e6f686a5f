// Package serialize holds the values of PHP's serialize(): as a tree that keeps every byte, as the
// JSON that backends see, and as the tree that results when a backend changes that JSON. It never
// makes an object: those of PHP's classes stay the text that PHP has written.
package serialize

import (
	"fmt"
	"strconv"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// kind is the kind of a value.
type kind uint8

const (
	null kind = iota
	boolean
	integer
	float
	text
	array
	object
	enum

	// custom is an object that encodes itself (Serializable). What is in it is not known.
	custom

	// same stands for an object that is elsewhere in the session too ("r:"), and reference for a
	// value that a PHP reference ties to another place ("R:").
	same
	reference
)

// Value is a value of PHP. A decoded Value is never changed.
type Value struct {
	kind kind

	// raw is the value as PHP has written it. It is empty for an array or an object with items.
	raw string

	// str is the text of a string, the name of a class, or the enum case.
	str string

	items []item

	// target is the value that a same or a reference stands for. It is nil if that cannot be told.
	target *Value

	// tied says that a reference leads to this value.
	tied bool

	// number is the value's number in the record, by which references name it, and last that of the
	// last value within it.
	number, last int
}

// item is an item of an array, or a property of an object.
type item struct {
	key   key
	value *Value
}

// key is the key of an item, as PHP has written it, and its text. An integer and its text are the
// same key.
type key struct{ raw, str string }

// Array is the array of a session. The zero Array is empty.
type Array struct {
	root *Value

	// was is the root of the record that the array was read from.
	was *Value

	// unknown says that numbers in the record cannot be told: it has objects that encode
	// themselves, and references that may count what is in them.
	unknown bool
}

func (a *Array) items() []item {
	if a == nil || a.root == nil {
		return nil
	}
	return a.root.items
}

// isObject reports whether there is one of the value, whatever leads to it.
func (v *Value) isObject() bool { return v.kind == object || v.kind == enum || v.kind == custom }

// newKey returns the key that PHP makes of a text.
func newKey(s string) key {
	if isIntegerKey(s) {
		return key{raw: "i:" + s + ";", str: s}
	}
	return key{raw: quoted(s), str: s}
}

// isIntegerKey reports whether PHP makes an integer of this text where it is a key.
func isIntegerKey(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// quoted is a string as PHP writes it.
func quoted(s string) string { return "s:" + strconv.Itoa(len(s)) + `:"` + s + `";` }

// Str returns the PHP string of these bytes.
func Str(s string) *Value { return &Value{kind: text, raw: quoted(s), str: s} }

// List returns a PHP array with the keys 0, 1, 2, ….
func List(values ...*Value) *Value {
	v := &Value{kind: array}
	for i, value := range values {
		v.items = append(v.items, item{newKey(strconv.Itoa(i)), value})
	}
	return v
}

// isList reports whether the keys of an array are 0, 1, 2, …, in this order.
func (v *Value) isList() bool {
	for i, it := range v.items {
		if it.key.str != strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// Text returns the bytes of a string.
func (v *Value) Text() (s string, ok bool) { return v.str, v.kind == text }

// Items returns the items of a list.
func (v *Value) Items() (values []*Value, ok bool) {
	if v.kind != array || !v.isList() {
		return nil, false
	}
	for _, it := range v.items {
		values = append(values, it.value)
	}
	return values, true
}

// Get returns the member of this name.
func (a *Array) Get(name string) (*Value, bool) {
	for _, it := range a.items() {
		if it.key.str == name {
			return it.value, true
		}
	}
	return nil, false
}

// With returns the array with a member in its former place, or at the end. Without a value it has
// no such member.
func (a *Array) With(name string, v *Value) *Array {
	with := &Array{root: &Value{kind: array}}
	if a != nil {
		with.was, with.unknown = a.was, a.unknown
	}
	for _, it := range a.items() {
		if it.key.str == name {
			if v == nil {
				continue
			}
			it.value, v = v, nil
		}
		with.root.items = append(with.root.items, it)
	}
	if v != nil {
		with.root.items = append(with.root.items, item{newKey(name), v})
	}
	return with
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{sessionstore.ErrRecord}, args...)...)
}
