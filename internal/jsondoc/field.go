package jsondoc

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Path names a field of a document. It is immutable. The zero value names none.
type Path struct {
	// text is the path as it was given.
	text string

	// segments have the form that names have in a canonical text.
	segments []string
}

// ParsePath reads a dotted path: "user.name". A segment is the name of a member or, in a list, the
// index of an item, from 0. Names that contain a dot cannot be written.
func ParsePath(text string) (Path, error) {
	if !utf8.ValidString(text) {
		return Path{}, fmt.Errorf("%w: the path is not UTF-8", ErrField)
	}
	segments := strings.Split(text, ".")
	if len(segments) > MaxDepth {
		return Path{}, fmt.Errorf("%w: the path has more than %d segments", ErrField, MaxDepth)
	}
	for i, segment := range segments {
		if segment == "" {
			return Path{}, fmt.Errorf("%w: the path has an empty segment", ErrField)
		}
		segments[i] = escaped(segment)
	}
	return Path{text: text, segments: segments}, nil
}

// Member returns the path to the member of an object with this name, which may contain dots.
func Member(name string) Path { return Path{text: name, segments: []string{escaped(name)}} }

func escaped(s string) string {
	var out strings.Builder
	writeEscaped(&out, s)
	return out.String()
}

// String returns the path as it was given to [ParsePath].
func (p Path) String() string { return p.text }

// Lookup returns the field that path names.
func (v Value) Lookup(path Path) (field Value, found bool) {
	place, found := locate(v.canonical(), path.segments)
	if !found || len(path.segments) == 0 {
		return Value{}, false
	}
	return Value{text: v.text[place.value:place.end]}, true
}

// Set returns v with the field that path names set to value. Missing objects on the path are added.
// The error is [ErrField] if the path leads to a list item that does not exist, or into a value
// that is neither an object nor a list. It is [ErrTooDeep] if value would nest deeper than
// [MaxDepth].
func Set(v Value, path Path, value Value) (Value, error) {
	if len(path.segments) == 0 {
		return Value{}, fmt.Errorf("%w: the path is empty", ErrField)
	}
	if len(path.segments)+depthOf(value.canonical()) > MaxDepth {
		return Value{}, ErrTooDeep
	}
	text := v.canonical()
	place, found := locate(text, path.segments)
	if found {
		return splice(text, place.value, place.end, value.canonical()), nil
	}
	missing := path.segments[place.depth:]
	switch text[place.value] {
	case '{':
	case '[':
		return Value{}, fmt.Errorf("%w: segment %d is not the number of an item", ErrField, place.depth+1)
	default:
		return Value{}, fmt.Errorf("%w: segment %d is inside a value that is neither an object nor a list", ErrField, place.depth+1)
	}
	var member strings.Builder
	if text[place.end-len("{}"):place.end] != "{}" {
		member.WriteByte(',')
	}
	for i, segment := range missing {
		if i > 0 {
			member.WriteByte('{')
		}
		member.WriteString(`"` + segment + `":`)
	}
	member.WriteString(value.canonical())
	member.WriteString(strings.Repeat("}", len(missing)-1))
	end := place.end - len("}")
	return splice(text, end, end, member.String()), nil
}

// Remove returns v without the field that path names. If there is none, it returns v. Items after a
// removed one move up. The error is [ErrField] for the zero Path.
func Remove(v Value, path Path) (Value, error) {
	if len(path.segments) == 0 {
		return Value{}, fmt.Errorf("%w: the path is empty", ErrField)
	}
	text := v.canonical()
	place, found := locate(text, path.segments)
	if !found {
		return v, nil
	}
	start, end := place.start, place.end
	switch {
	case text[end] == ',':
		end++
	case text[start-1] == ',':
		start--
	}
	return splice(text, start, end, ""), nil
}

// place is a value in a canonical text.
type place struct {
	// start is where the value's name begins; value and end enclose the value.
	start, value, end int

	// depth is how many segments led here.
	depth int
}

// locate follows the segments as far as they exist.
func locate(text string, segments []string) (p place, all bool) {
	p.end = len(text)
	for p.depth < len(segments) {
		next, found := locateIn(text, p, segments[p.depth])
		if !found {
			return p, false
		}
		p = next
	}
	return p, true
}

// locateIn finds the member or item of the container at p that segment names.
func locateIn(text string, p place, segment string) (place, bool) {
	object := text[p.value] == '{'
	index, isIndex := parseIndex(segment)
	if !object && (text[p.value] != '[' || !isIndex) {
		return p, false
	}
	c := cursor{text: text, pos: p.value + 1}
	for i := 0; c.more(); i++ {
		start := c.pos
		matches := i == index
		if object {
			matches = c.name() == segment
		}
		value := c.pos
		c.skip()
		if matches {
			return place{start: start, value: value, end: c.pos, depth: p.depth + 1}, true
		}
	}
	return p, false
}

// splice returns text with text[start:end] replaced.
func splice(text string, start, end int, replacement string) Value {
	return Value{text: text[:start] + replacement + text[end:]}
}
