package jsondoc

import (
	"slices"
	"strings"
)

// pointer is a JSON Pointer (RFC 6901): its tokens as they stand between quotes in a canonical
// text, so that a name with half of a surrogate pair can be pointed at too.
type pointer []string

// parsePointer reads a pointer that stands between quotes in a canonical text, in which neither "/"
// nor "~" is ever escaped.
func parsePointer(text string) (p pointer, ok bool) {
	if text == "" {
		return nil, true
	}
	if text[0] != '/' {
		return nil, false
	}
	p = strings.Split(text[1:], "/")
	for i, token := range p {
		if strings.IndexByte(token, '~') < 0 {
			continue
		}
		if p[i], ok = unescapeToken(token); !ok {
			return nil, false
		}
	}
	return p, true
}

func unescapeToken(token string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '~' {
			i++
			switch {
			case i == len(token):
				return "", false
			case token[i] == '1':
				c = '/'
			case token[i] != '0':
				return "", false
			}
		}
		out.WriteByte(c)
	}
	return out.String(), true
}

// inside reports whether p points into what parent points at.
func (p pointer) inside(parent pointer) bool {
	return len(p) > len(parent) && slices.Equal(p[:len(parent)], parent)
}

// parseIndex reads the number of a list item: no sign, no leading zeros.
func parseIndex(token string) (int, bool) {
	if token == "" || len(token) > 9 || token[0] == '0' && token != "0" {
		return 0, false
	}
	index := 0
	for i := range len(token) {
		if !isDigit(token[i]) {
			return 0, false
		}
		index = index*10 + int(token[i]-'0')
	}
	return index, true
}
