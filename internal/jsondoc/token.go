package jsondoc

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (p *parser) literal(word string) error {
	if !strings.HasPrefix(p.text[p.pos:], word) {
		return syntaxError(p.pos, "invalid literal")
	}
	p.pos += len(word)
	return nil
}

// number reads a number. It is not changed.
func (p *parser) number() error {
	start := p.pos
	signed := p.take('-')
	if !p.take('0') && !p.digits() {
		if !signed {
			return p.unexpected()
		}
		return syntaxError(start, "invalid number")
	}
	if p.take('.') && !p.digits() {
		return syntaxError(start, "invalid number")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return syntaxError(start, "invalid number")
		}
	}
	return nil
}

// digits reads one or more digits.
func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.text) && isDigit(p.text[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

// plain are the characters that need no escape in a canonical string.
var plain = func() (plain [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// string reads a string and writes its canonical form.
func (p *parser) string() error {
	text, pos := p.text, p.pos+1
	for {
		for pos < len(text) && plain[text[pos]] {
			pos++
		}
		p.pos = pos
		if pos == len(text) {
			return p.unexpected()
		}
		if text[pos] == '"' {
			p.pos++
			return nil
		}
		if err := p.special(); err != nil {
			return err
		}
		pos = p.pos
	}
}

// special reads a character of a string that is not plain.
func (p *parser) special() error {
	c := p.text[p.pos]
	if c == '\\' {
		return p.escape()
	}
	if c < ' ' {
		return syntaxError(p.pos, "control character in a string")
	}
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return syntaxError(p.pos, "invalid UTF-8")
	}
	p.replaceRune(p.pos+size, r)
	return nil
}

// escape reads an escape. A surrogate without a partner is no character, and some parsers refuse a
// whole document for it. If it is not refused, because the stored sessions of other programs may
// contain some, it stays an escape and is written back as it was.
func (p *parser) escape() error {
	rest := p.text[p.pos:]
	if len(rest) < 2 {
		return syntaxError(len(p.text), "unexpected end")
	}
	switch rest[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		p.pos += 2
	case '/':
		p.replaceRune(p.pos+2, '/')
	case 'u':
		r, ok := unhex(rest[2:])
		if !ok {
			return syntaxError(p.pos, "invalid escape")
		}
		if p.strict && utf16.IsSurrogate(r) {
			size, pair, _ := readEscape([]byte(rest[:min(len(rest), 12)]))
			if size < 12 {
				return syntaxError(p.pos, "a surrogate without its partner")
			}
			p.replaceRune(p.pos+size, pair)
			break
		}
		p.replaceRune(p.pos+6, r)
	default:
		return syntaxError(p.pos, "invalid escape")
	}
	return nil
}

// replaceRune reads up to text[end], and writes r.
func (p *parser) replaceRune(end int, r rune) {
	var buf [12]byte
	canonical := appendRune(buf[:0], r)
	if string(canonical) == p.text[p.pos:end] {
		p.pos = end
		return
	}
	p.replace(end, canonical)
}

// unhex reads the four digits of a \u escape.
func unhex(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		digit := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if digit < 0 || s[i] < '0' {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

func isDigit(c byte) bool { return c-'0' <= 9 }
