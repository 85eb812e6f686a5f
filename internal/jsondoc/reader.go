package jsondoc

import "strings"

// take reads c if it comes next.
func (p *parser) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// space leaves out whitespace.
func (p *parser) space() {
	if p.pos < len(p.text) && p.text[p.pos] <= ' ' {
		p.drop(skipSpace(p.text, p.pos))
	}
}

// drop leaves out the text up to text[end].
func (p *parser) drop(end int) {
	if end > p.pos {
		p.replace(end, nil)
	}
}

// replace writes canonical in place of the text up to text[end].
func (p *parser) replace(end int, canonical []byte) {
	if p.out.Len() == 0 {
		p.out.Grow(p.room)
	}
	p.flush()
	p.out.Write(canonical)
	p.pos, p.done = end, end
}

// flush writes the text that was read and is canonical.
func (p *parser) flush() {
	p.out.WriteString(p.text[p.done:p.pos])
	p.done = p.pos
}

func (p *parser) unexpected() error {
	if p.pos == len(p.text) {
		return syntaxError(p.pos, "unexpected end")
	}
	return syntaxError(p.pos, "unexpected character")
}

func (p *parser) tooDeep() error {
	return &ParseError{Offset: p.pos, reason: ErrTooDeep.Error(), kind: ErrTooDeep}
}

func syntaxError(offset int, reason string) error {
	return &ParseError{Offset: offset, reason: reason, kind: ErrSyntax}
}

// skipSpace returns the position of the first character from pos on that is not whitespace.
func skipSpace(text string, pos int) int {
	for pos < len(text) && strings.IndexByte(" \t\n\r", text[pos]) >= 0 {
		pos++
	}
	return pos
}
