package jsondoc

import (
	"slices"
	"strings"
)

// pointer is a JSON Pointer (RFC 6901). Its tokens have the form that names have in a canonical
// text, so that it can also name a member whose name contains a surrogate without a partner.
type pointer []string

// parsePointer reads a pointer in the form of a canonical text, without its quotes. In that,
// neither "/" nor "~" is ever escaped.
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

// inside reports whether p points into the value at parent.
func (p pointer) inside(parent pointer) bool {
	return len(p) > len(parent) && slices.Equal(p[:len(parent)], parent)
}

// parseIndex reads the index of a list item, without sign and leading zeros.
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
