package jsondoc

// cursor moves through one container of a canonical text. It checks nothing.
type cursor struct {
	text string

	// pos is the position after what was read. The closing bracket of the container always follows.
	pos int
}

// open returns a cursor for the container v. If v is no container, it is for an empty one.
func open(v Value) cursor {
	if v.text == "" || v.text[0] != '{' && v.text[0] != '[' {
		return cursor{text: "[]", pos: 1}
	}
	return cursor{text: v.text, pos: 1}
}

// object reports whether the container is an object. The cursor must be from [open].
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

// name reads a member's name and the colon, and returns the name without its quotes.
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

// skip skips a value.
func (c *cursor) skip() { c.pos = skipValue(c.text, c.pos) }

// skipValue returns the position after the value at text[pos].
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

// skipString returns the position after the string at text[pos].
func skipString(text string, pos int) int {
	for pos++; text[pos] != '"'; pos++ {
		if text[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

// skipScalar returns the position after the number or literal at text[pos].
func skipScalar(text string, pos int) int {
	for pos++; pos < len(text); pos++ {
		if c := text[pos]; c == ',' || c == '}' || c == ']' {
			break
		}
	}
	return pos
}

// depthOf returns how deep arrays and objects nest in a canonical text.
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
