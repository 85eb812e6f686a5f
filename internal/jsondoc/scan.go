package jsondoc

// cursor moves over one container of a canonical text, which needs no checks.
type cursor struct {
	text string

	// pos is behind what has been read. Everything that it can point at is followed by the
	// container's bracket.
	pos int
}

// open returns a cursor over the container v, or over an empty one if v is none.
func open(v Value) cursor {
	if v.text == "" || v.text[0] != '{' && v.text[0] != '[' {
		return cursor{text: "[]", pos: 1}
	}
	return cursor{text: v.text, pos: 1}
}

// object reports whether the container is an object. It may be asked only of a cursor made by
// [open].
func (c *cursor) object() bool { return c.text[0] == '{' }

// more reports whether there is another member or item, and moves to it.
func (c *cursor) more() bool {
	switch c.text[c.pos] {
	case ']', '}':
		return false
	case ',':
		c.pos++
	}
	return true
}

// name reads a member's name, as it stands between its quotes, and the colon.
func (c *cursor) name() string {
	start := c.pos + 1
	c.pos = skipString(c.text, c.pos) + 1
	return c.text[start : c.pos-len(`":`)]
}

// value reads a value.
func (c *cursor) value() string {
	start := c.pos
	c.skip()
	return c.text[start:c.pos]
}

// skip passes over a value.
func (c *cursor) skip() { c.pos = skipValue(c.text, c.pos) }

// skipValue returns the position behind the value at text[pos].
func skipValue(text string, pos int) int {
	for depth := 0; ; {
		switch text[pos] {
		case '"':
			pos = skipString(text, pos)
		case '{', '[':
			depth++
			pos++
			continue
		case '}', ']':
			depth--
			pos++
		case ',', ':':
			pos++
			continue
		default:
			pos = skipScalar(text, pos)
		}
		if depth == 0 {
			return pos
		}
	}
}

// skipString returns the position behind the string that begins at text[pos].
func skipString(text string, pos int) int {
	for pos++; text[pos] != '"'; pos++ {
		if text[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

// skipScalar returns the position behind the number or literal that begins at text[pos].
func skipScalar(text string, pos int) int {
	for pos++; pos < len(text); pos++ {
		if c := text[pos]; c == ',' || c == '}' || c == ']' {
			break
		}
	}
	return pos
}

// depthOf returns how deep the arrays and objects of a canonical text nest.
func depthOf(text string) int {
	depth, deepest := 0, 0
	for pos := 0; pos < len(text); {
		switch text[pos] {
		case '"':
			pos = skipString(text, pos)
			continue
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
		pos++
	}
	return deepest
}
