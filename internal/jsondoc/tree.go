package jsondoc

import (
	"slices"
	"strings"
)

// node is a value in a document during a patch. It is a text, or a box if a path has led into it. A
// node with neither is a removed member.
type node struct {
	text string
	box  *box
}

// box is an array or object, split into its items or members. They are only split in turn when a
// path leads into them, so a patch costs about as much as it touches.
type box struct {
	object bool

	// size is the length of the ASCII form after all changes.
	size int

	// nodes are the items or members. A removed member leaves a hole, so that many removals from a
	// large object do not move all others each time.
	nodes []node
	names []string // of members
	live  int      // nodes without holes

	// index finds members by name. It is made after some searches: see find.
	index map[string]int
	finds int
}

func (n *node) removed() bool { return n.box == nil && n.text == "" }

func (n *node) size() int {
	if n.box != nil {
		return n.box.size
	}
	return len(n.text)
}

// open splits a value if it is an array or object, and returns nil if it is neither.
func (n *node) open() *box {
	if n.box != nil || n.text[0] != '{' && n.text[0] != '[' {
		return n.box
	}
	b := &box{object: n.text[0] == '{', size: len(n.text)}
	room := min(4+len(n.text)/64, 1024)
	b.nodes = make([]node, 0, room)
	if b.object {
		b.names = make([]string, 0, room)
	}
	for c := open(Value{text: n.text}); c.more(); {
		if b.object {
			b.names = append(b.names, c.name())
		}
		b.nodes = append(b.nodes, node{text: c.value()})
	}
	b.live = len(b.nodes)
	n.box, n.text = b, ""
	return b
}

// child returns the item or member of a token, or nil if there is none.
func (b *box) child(token string) *node {
	i := -1
	if b.object {
		i = b.find(token)
	} else if index, ok := parseIndex(token); ok && index < len(b.nodes) {
		i = index
	}
	if i < 0 {
		return nil
	}
	return &b.nodes[i]
}

// find returns the index of the member with this name, or -1.
//
// A box that is searched often gets an index: without one, a patch that names 256 of 10,000 members
// takes 17 ms instead of 1, and the time of a test of two large objects grows with the square of
// their members. A box that is searched seldom gets none: the index of 50 members takes 7 µs, which
// is as long as an increment in them (go test -run XXX -bench 'IncrementIn|LargePatch'
// ./internal/jsondoc, with GOGC=off).
func (b *box) find(name string) int {
	const seldom = 8
	b.finds++
	if b.index == nil && b.finds <= seldom {
		for i := range b.names {
			if b.names[i] == name && !b.nodes[i].removed() {
				return i
			}
		}
		return -1
	}
	if b.index == nil {
		b.index = make(map[string]int, len(b.names))
		for i, name := range b.names {
			if !b.nodes[i].removed() {
				b.index[name] = i
			}
		}
	}
	if i, found := b.index[name]; found {
		return i
	}
	return -1
}

// append adds a member or item at the end and returns by how much the box grew.
func (b *box) append(name string, n node) int {
	growth := n.size()
	if b.live > 0 {
		growth += len(",")
	}
	if b.object {
		growth += len(name) + len(`"":`)
		if b.index != nil {
			b.index[name] = len(b.names)
		}
		b.names = append(b.names, name)
	}
	b.nodes = append(b.nodes, n)
	b.live++
	return growth
}

// insert adds an item before the i-th and returns by how much the box grew.
func (b *box) insert(i int, n node) int {
	growth := b.append("", n)
	copy(b.nodes[i+1:], b.nodes[i:])
	b.nodes[i] = n
	return growth
}

// remove removes the member or item of a token, which must exist. It returns it and by how much the
// box grew, which is less than zero.
func (b *box) remove(token string) (n node, growth int) {
	b.live--
	if b.live > 0 {
		growth = -len(",")
	}
	if b.object {
		i := b.find(token)
		n, b.nodes[i] = b.nodes[i], node{}
		delete(b.index, token)
		growth -= len(token) + len(`"":`)
	} else {
		i, _ := parseIndex(token)
		n = b.nodes[i]
		b.nodes = slices.Delete(b.nodes, i, i+1)
	}
	return n, growth - n.size()
}

// depth returns how deep arrays and objects nest in the value.
func (n *node) depth() int {
	if n.box == nil {
		return depthOf(n.text)
	}
	deepest := 0
	for i := range n.box.nodes {
		deepest = max(deepest, n.box.nodes[i].depth())
	}
	return deepest + 1
}

// write writes the value's canonical text.
func (n *node) write(out *strings.Builder) {
	b := n.box
	if b == nil {
		out.WriteString(n.text)
		return
	}
	brackets := "[]"
	if b.object {
		brackets = "{}"
	}
	out.WriteByte(brackets[0])
	comma := false
	for i := range b.nodes {
		if b.nodes[i].removed() {
			continue
		}
		if comma {
			out.WriteByte(',')
		}
		comma = true
		if b.object {
			out.WriteByte('"')
			out.WriteString(b.names[i])
			out.WriteString(`":`)
		}
		b.nodes[i].write(out)
	}
	out.WriteByte(brackets[1])
}

// value returns the value as a text.
func (n *node) value() Value {
	if n.box == nil {
		return Value{text: n.text}
	}
	var out strings.Builder
	out.Grow(n.box.size)
	n.write(&out)
	return Value{text: out.String()}
}
