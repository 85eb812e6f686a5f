package jsondoc

import "strings"

// Equal reports whether v and w are equal, as RFC 6902 defines it for the operation test: members
// in any order, numbers by their exact value.
func (v Value) Equal(w Value) bool {
	n := node{text: v.canonical()}
	_, equal := n.equal(w.canonical(), 0)
	return equal
}

// equal compares n with the value at text[pos]. If they are equal, it returns the position after
// that value. It opens n if the two texts differ.
func (n *node) equal(text string, pos int) (end int, equal bool) {
	if n.box == nil && strings.HasPrefix(text[pos:], n.text) {
		if end := pos + len(n.text); end == len(text) || strings.IndexByte(",]}", text[end]) >= 0 {
			return end, true
		}
	}
	if text[pos] != '{' && text[pos] != '[' {
		end := skipValue(text, pos)
		return end, n.box == nil && kindOf(n.text) == Number && kindOf(text[pos:end]) == Number &&
			equalNumbers(n.text, text[pos:end])
	}
	b := n.open()
	if b == nil || b.object != (text[pos] == '{') {
		return 0, false
	}
	count := 0
	for c := (cursor{text: text, pos: pos + 1}); ; count++ {
		if !c.more() {
			return c.pos + 1, count == b.live
		}
		i := count
		if b.object {
			i = b.find(c.name())
		}
		if i < 0 || i >= len(b.nodes) {
			return 0, false
		}
		if c.pos, equal = b.nodes[i].equal(text, c.pos); !equal {
			return 0, false
		}
	}
}
