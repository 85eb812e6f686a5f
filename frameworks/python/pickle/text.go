package pickle

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unquote parses the repr of a Python 2 str.
func unquote(line []byte) (string, bool) {
	s := strings.TrimRight(string(line), " \t\r")
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", false
		}
		if at := strings.IndexByte(`\'"abfnrtv`, s[i]); at >= 0 {
			b.WriteByte("\\'\"\a\b\f\n\r\t\v"[at])
			continue
		}
		if s[i] != 'x' || i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// quote returns the repr of a Python 2 str.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// rawUnicode decodes Python's raw-unicode-escape: Latin-1 with \u and four or \U and eight hex
// digits.
func rawUnicode(line []byte) (string, bool) {
	var b []byte
	for i := 0; i < len(line); i++ {
		digits := 0
		if line[i] == '\\' && i+1 < len(line) {
			digits = map[byte]int{'u': 4, 'U': 8}[line[i+1]]
		}
		if digits == 0 {
			b = utf8.AppendRune(b, rune(line[i]))
			continue
		}
		if i+2+digits > len(line) {
			return "", false
		}
		n, err := strconv.ParseUint(string(line[i+2:i+2+digits]), 16, 32)
		if err != nil || n > utf8.MaxRune {
			return "", false
		}
		b = appendCode(b, rune(n))
		i += 1 + digits
	}
	return string(b), true
}

// appendCode appends a code point in UTF-8, including surrogates, like Python's "surrogatepass".
func appendCode(b []byte, r rune) []byte {
	if r >= 0xd800 && r < 0xe000 {
		return append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(b, r)
}

// writeRawUnicode is the reverse of rawUnicode. It escapes what would end the line or look like an
// escape.
func writeRawUnicode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			if r, size = surrogate(s[i:]); size == 0 {
				r, size = rune(s[i]), 1
			}
		}
		i += size
		switch {
		case r == '\\' || r == 0 || r == '\n' || r == '\r' || r == 0x1a || r > 0xff && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteByte(byte(r))
		}
	}
	return b.String()
}

// surrogate decodes a surrogate that is encoded in three bytes.
func surrogate(s string) (rune, int) {
	if len(s) < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf || s[2]&0xc0 != 0x80 {
		return 0, 0
	}
	return rune(s[0]&0x0f)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
}
