package jsondoc

import (
	"errors"
	"fmt"
	"slices"
)

var (
	errNoParent = errors.New("its path has no parent array or object")
	errNoTarget = errors.New("nothing exists at its path")
	errNoSource = errors.New("nothing exists at its from")
	errBadIndex = errors.New("its path does not end in an index of the array")
	errWhole    = errors.New("the whole document cannot be removed")
	errNotList  = errors.New("its target is not an array")
	errTest     = errors.New("its value is not what the document has")
)

// Apply returns doc with all operations of the patch applied in order. If one cannot be applied,
// the error is a [*PatchError]. It wraps [ErrTooLarge] if an operation is beyond the budget, and
// [ErrTooDeep] if a value would nest deeper than [MaxDepth].
func (p Patch) Apply(doc Value, budget *Budget) (Value, error) {
	d := document{root: node{text: doc.canonical()}}
	for i := range p.operations {
		op := &p.operations[i]
		err := d.apply(op)
		if err == nil {
			err = budget.Size(d.root.size())
		}
		if err == nil {
			err = budget.Move(d.moved)
		}
		if err != nil {
			return Value{}, &PatchError{Index: i, Op: op.kind, reason: err}
		}
		d.moved = 0
	}
	if err := budget.Move(d.root.size()); err != nil {
		return Value{}, err
	}
	return d.root.value(), nil
}

// document is a value that operations are being applied to.
type document struct {
	root node

	// trail are the arrays and objects that contain the place of the present change. Their sizes
	// change with it.
	trail []*box

	// moved is how many bytes of text the present operation has split, copied, or shifted in a
	// list.
	moved int
}

// open is [node.open], counted.
func (d *document) open(n *node) *box {
	if n.box == nil {
		d.moved += len(n.text)
	}
	return n.open()
}

func (d *document) apply(op *operation) error {
	switch op.kind {
	case "add":
		return d.add(op.path, node{text: op.value}, op.depth)
	case "remove":
		_, err := d.remove(op.path)
		return err
	case "replace":
		return d.replace(op.path, node{text: op.value}, op.depth)
	case "move":
		return d.move(op.from, op.path)
	case "copy":
		return d.copy(op.from, op.path)
	case "increment":
		return d.increment(op.path, op.value)
	case "append":
		return d.append(op.path, node{text: op.value}, op.depth)
	default:
		return d.test(op.path, op.value)
	}
}

// find returns the value at p, for reading, or nil if there is none.
func (d *document) find(p pointer) *node {
	n := &d.root
	for _, token := range p {
		b := d.open(n)
		if b == nil {
			return nil
		}
		if n = b.child(token); n == nil {
			return nil
		}
	}
	return n
}

// parent returns the array or object that contains p, for changing, or nil if there is none. It
// sets the trail.
func (d *document) parent(p pointer) *box {
	d.trail = d.trail[:0]
	n := &d.root
	for i := 0; ; i++ {
		b := d.open(n)
		if b == nil {
			return nil
		}
		d.trail = append(d.trail, b)
		if i == len(p)-1 {
			return b
		}
		if n = b.child(p[i]); n == nil {
			return nil
		}
	}
}

// grow records that the value at the end of the trail has become larger.
func (d *document) grow(growth int) {
	for _, b := range d.trail {
		b.size += growth
	}
}

// set replaces old, the value at p, by n, which nests depth deep.
func (d *document) set(p pointer, old *node, n node, depth int) error {
	if len(p)+depth > MaxDepth {
		return ErrTooDeep
	}
	d.moved += n.size()
	d.grow(n.size() - old.size())
	*old = n
	return nil
}

func (d *document) add(p pointer, n node, depth int) error {
	if len(p) == 0 {
		d.trail = d.trail[:0]
		return d.set(p, &d.root, n, depth)
	}
	b := d.parent(p)
	if b == nil {
		return errNoParent
	}
	token := p[len(p)-1]
	if b.object {
		if old := b.child(token); old != nil {
			return d.set(p, old, n, depth)
		}
	}
	if len(p)+depth > MaxDepth {
		return ErrTooDeep
	}
	d.moved += n.size()
	if b.object || token == "-" {
		d.grow(b.append(token, n))
		return nil
	}
	i, ok := parseIndex(token)
	if !ok || i > len(b.nodes) {
		return errBadIndex
	}
	if i < len(b.nodes) {
		d.moved += b.size
	}
	d.grow(b.insert(i, n))
	return nil
}

func (d *document) remove(p pointer) (node, error) {
	if len(p) == 0 {
		return node{}, errWhole
	}
	b := d.parent(p)
	if b == nil || b.child(p[len(p)-1]) == nil {
		return node{}, errNoTarget
	}
	token := p[len(p)-1]
	if i, _ := parseIndex(token); !b.object && i < len(b.nodes)-1 {
		d.moved += b.size
	}
	n, growth := b.remove(token)
	d.grow(growth)
	return n, nil
}

func (d *document) replace(p pointer, n node, depth int) error {
	if len(p) == 0 {
		return d.add(p, n, depth)
	}
	b := d.parent(p)
	if b == nil {
		return errNoTarget
	}
	old := b.child(p[len(p)-1])
	if old == nil {
		return errNoTarget
	}
	return d.set(p, old, n, depth)
}

func (d *document) move(from, to pointer) error {
	n := d.find(from)
	if n == nil {
		return errNoSource
	}
	if slices.Equal(from, to) {
		return nil
	}
	depth := 0
	if len(to) > len(from) {
		d.moved += n.size()
		depth = n.depth()
	}
	moved, err := d.remove(from)
	if err != nil {
		return err
	}
	return d.add(to, moved, depth)
}

func (d *document) copy(from, to pointer) error {
	n := d.find(from)
	if n == nil {
		return errNoSource
	}
	depth := 0
	if len(to) > len(from) {
		d.moved += n.size()
		depth = n.depth()
	}
	return d.add(to, node{text: n.value().text}, depth)
}

func (d *document) test(p pointer, value string) error {
	n := d.find(p)
	if n == nil {
		return errNoTarget
	}
	d.moved += n.size()
	if _, equal := n.equal(value, 0); !equal {
		return errTest
	}
	return nil
}

// increment adds by to the number at p.
func (d *document) increment(p pointer, by string) error {
	old := &d.root
	d.trail = d.trail[:0]
	if len(p) > 0 {
		b := d.parent(p)
		if b == nil {
			return errNoParent
		}
		token := p[len(p)-1]
		old = b.child(token)
		if old == nil && !b.object {
			return errBadIndex
		}
		if old == nil {
			sum, err := addNumbers("0", by)
			if err != nil {
				return err
			}
			return d.add(p, node{text: sum}, 0)
		}
	}
	if old.box != nil {
		return fmt.Errorf("its target is %w", errNotNumber)
	}
	sum, err := addNumbers(old.text, by)
	if err != nil {
		return fmt.Errorf("its target is %w", err)
	}
	return d.set(p, old, node{text: sum}, 0)
}

// append adds an item, which nests depth deep, to the end of the array at p.
func (d *document) append(p pointer, item node, depth int) error {
	list := d.find(p)
	if list == nil {
		if b := d.parent(p); b != nil && !b.object {
			return errBadIndex
		}
		return d.add(p, node{text: "[" + item.text + "]"}, depth+1)
	}
	if list.box == nil && list.text[0] != '[' || list.box != nil && list.box.object {
		return errNotList
	}
	return d.add(append(slices.Clip(p), "-"), item, depth)
}
