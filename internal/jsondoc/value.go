package jsondoc

import (
	"encoding/json"
	"iter"
	"strings"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is an immutable JSON value, safe for concurrent use. The zero value is null. Two parsed
// values are == if their canonical texts are the same bytes. [Value.Equal] compares what they mean.
type Value struct {
	text string
}

// NewObject returns the empty object.
func NewObject() Value { return Value{text: "{}"} }

// NewArray returns an array of items.
func NewArray(items ...Value) Value {
	size := len("[]") + max(0, len(items)-1)
	for _, item := range items {
		size += item.Size()
	}
	var out strings.Builder
	out.Grow(size)
	out.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(item.canonical())
	}
	out.WriteByte(']')
	return Value{text: out.String()}
}

// NewString returns the JSON string of s. Bytes that are not UTF-8 become U+FFFD.
func NewString(s string) Value {
	var out strings.Builder
	out.Grow(len(s) + len(`""`))
	out.WriteByte('"')
	writeEscaped(&out, s)
	out.WriteByte('"')
	return Value{text: out.String()}
}

func (v Value) canonical() string {
	if v.text == "" {
		return "null"
	}
	return v.text
}

// Kind returns the type of v.
func (v Value) Kind() Kind { return kindOf(v.canonical()) }

func kindOf(canonical string) Kind {
	switch canonical[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		return Number
	}
}

// Size is the length of the canonical ASCII form, in bytes.
func (v Value) Size() int { return len(v.canonical()) }

// String returns the decoded text of a string, with U+FFFD in place of a surrogate without a
// partner. Of every other value, it returns the canonical ASCII form.
func (v Value) String() string {
	text := v.canonical()
	if text[0] == '"' {
		return decode(text[1 : len(text)-1])
	}
	return text
}

// Len is the number of items or members; 0 if v is neither array nor object.
func (v Value) Len() int {
	n := 0
	for c := open(v); c.more(); n++ {
		if c.object() {
			c.name()
		}
		c.skip()
	}
	return n
}

// Items returns the items of an array, and nil for every other value.
func (v Value) Items() []Value {
	if v.Kind() != Array {
		return nil
	}
	items := make([]Value, 0, v.Len())
	for c := open(v); c.more(); {
		items = append(items, Value{text: c.value()})
	}
	return items
}

// Members yields the members of an object in their order, with names as [Value.String] returns
// them. It yields nothing for every other value.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for c := open(v); c.more(); {
			name := decode(c.name())
			if !yield(name, Value{text: c.value()}) {
				return
			}
		}
	}
}

// Native returns v as encoding/json decodes it into an any with UseNumber: map[string]any, []any,
// string, [json.Number], bool or nil.
func (v Value) Native() any {
	switch v.Kind() {
	case Object:
		object := make(map[string]any)
		for name, member := range v.Members() {
			object[name] = member.Native()
		}
		return object
	case Array:
		items := v.Items()
		array := make([]any, len(items))
		for i, item := range items {
			array[i] = item.Native()
		}
		return array
	case String:
		return v.String()
	case Number:
		return json.Number(v.text)
	case Bool:
		return v.text == "true"
	default:
		return nil
	}
}
