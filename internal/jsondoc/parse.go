package jsondoc

import "strings"

// MaxDepth is how deep arrays and objects of a session may nest.
const MaxDepth = 32

// Parse reads text, which must be one JSON value (RFC 8259) in which arrays and objects nest at
// most maxDepth deep. Duplicate names, after decoding, and bytes that are not UTF-8 are errors.
// Every error is a [*ParseError].
//
// If text is bytes, they are copied. If it is a string, the value may share its memory.
func Parse[T ~string | ~[]byte](text T, maxDepth int) (Value, error) {
	p := parser{text: string(text), maxDepth: maxDepth, room: len(text)}
	v, err := p.parse(0)
	if err == nil && p.pos < len(text) {
		return Value{}, p.unexpected()
	}
	return v, err
}

// ParseNext reads the first JSON value of text as [Parse] does, and returns the text after it and
// its whitespace, which it does not check. A surrogate without a partner is an error.
func ParseNext(text string, maxDepth int) (v Value, rest string, err error) {
	p := parser{text: text, maxDepth: maxDepth, strict: true}
	if v, err = p.parse(0); err != nil {
		return Value{}, text, err
	}
	return v, text[p.pos:], nil
}

// ParseList reads one or more JSON values, separated by commas, each as [ParseNext] does.
func ParseList[T ~string | ~[]byte](text T, maxDepth int) ([]Value, error) {
	var list []Value
	p := parser{text: string(text), maxDepth: maxDepth, strict: true}
	for pos := 0; ; pos = p.pos {
		v, err := p.parse(pos)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if p.pos == len(p.text) {
			return list, nil
		}
		if !p.take(',') {
			return nil, p.unexpected()
		}
	}
}

// parser reads values. Most texts are canonical already, so it copies only from the first character
// on that is not.
type parser struct {
	text     string
	pos      int
	maxDepth int
	strict   bool // about surrogates

	// out is the canonical form of text[:done]. The text that was read after that is canonical.
	out  strings.Builder
	done int

	// room is the initial size of out, if it is needed.
	room int
}

// name is a member's name.
type name struct {
	text   string // its canonical form, without the quotes
	offset int
}

// parse reads the value at text[pos] and the whitespace around it.
func (p *parser) parse(pos int) (v Value, err error) {
	var names [96]name
	p.out = strings.Builder{}
	start := skipSpace(p.text, pos)
	p.pos, p.done = start, start
	if err := p.value(0, names[:0]); err != nil {
		return Value{}, err
	}
	v.text = p.text[start:p.pos]
	if p.out.Len() > 0 {
		p.flush()
		v.text = p.out.String()
	}
	p.pos = skipSpace(p.text, p.pos)
	return v, nil
}

// value reads the value at pos, which is in depth containers. It uses the capacity of names for the
// names in the value.
func (p *parser) value(depth int, names []name) error {
	if p.pos == len(p.text) {
		return p.unexpected()
	}
	switch p.text[p.pos] {
	case '{':
		return p.object(depth+1, names)
	case '[':
		return p.array(depth+1, names)
	case '"':
		return p.string()
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		return p.number()
	}
}

func (p *parser) array(depth int, names []name) error {
	if depth > p.maxDepth {
		return p.tooDeep()
	}
	p.pos++
	p.space()
	if p.take(']') {
		return nil
	}
	for {
		if err := p.value(depth, names); err != nil {
			return err
		}
		p.space()
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return p.unexpected()
		}
		p.space()
	}
}

func (p *parser) object(depth int, names []name) error {
	if depth > p.maxDepth {
		return p.tooDeep()
	}
	p.pos++
	p.space()
	if p.take('}') {
		return nil
	}
	for {
		name, err := p.name()
		if err != nil {
			return err
		}
		names = append(names, name)
		p.space()
		if !p.take(':') {
			return p.unexpected()
		}
		p.space()
		if err := p.value(depth, names[len(names):]); err != nil {
			return err
		}
		p.space()
		if p.take('}') {
			break
		}
		if !p.take(',') {
			return p.unexpected()
		}
		p.space()
	}
	if offset, found := duplicate(names); found {
		return syntaxError(offset, "duplicate key")
	}
	return nil
}

// name reads a member's name.
func (p *parser) name() (name, error) {
	if p.pos == len(p.text) || p.text[p.pos] != '"' {
		return name{}, p.unexpected()
	}
	offset, done := p.pos, p.done
	mark := p.out.Len() + p.pos - p.done
	if err := p.string(); err != nil {
		return name{}, err
	}
	text := p.text[offset:p.pos]
	if p.done != done {
		p.flush()
		text = p.out.String()[mark:]
	}
	return name{text: text[1 : len(text)-1], offset: offset}, nil
}
