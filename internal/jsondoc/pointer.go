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
		switch tildes := strings.Count(token, "~"); tildes {
		case 0:
		case strings.Count(token, "~0") + strings.Count(token, "~1"):
			p[i] = unescapes.Replace(token)
		default:
			return nil, false
		}
	}
	return p, true
}

var unescapes = strings.NewReplacer("~0", "~", "~1", "/")

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
