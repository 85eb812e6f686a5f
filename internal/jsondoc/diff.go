package jsondoc

import "strings"

// Difference says how a value became another one. It is an edit, which can be applied to a newer
// form of the first value. Objects are compared member by member, so changes of other members stay.
// If a list got further items at its end, they are appended. Everything else is replaced as a
// whole. A Difference is immutable. The zero value changes nothing.
type Difference struct {
	// One of these is set: the new value, that the value is removed, the items to append, or the
	// changed members.
	set      string
	removed  bool
	appended []string
	members  []memberDifference

	// after is the whole new list. It is used if there is no list any more to append to.
	after string
}

type memberDifference struct {
	name string
	Difference
}

// Diff returns the difference from before to after. A number that is only spelt in another way,
// such as 1.1 for 1.10, has not changed. An object for which atom reports true is compared as a
// whole. atom may be nil.
func Diff(before, after Value, atom func(Value) bool) Difference {
	if atom == nil {
		atom = func(Value) bool { return false }
	}
	if identical(before.canonical(), after.canonical()) {
		return Difference{}
	}
	is := after.Kind()
	switch {
	case is != before.Kind() || is != Object && is != Array || atom(before) || atom(after):
		return Difference{set: after.canonical()}
	case is == Array:
		return diffItems(before.Items(), after)
	}
	var d Difference
	in := lookup{object: after.canonical()}
	for c := open(before); c.more(); {
		name, was := c.name(), Value{text: c.value()}
		if value, found := in.member(name); !found {
			d.members = append(d.members, memberDifference{name, Difference{removed: true}})
		} else if m := Diff(was, Value{text: value}, atom); !m.Empty() {
			d.members = append(d.members, memberDifference{name, m})
		}
	}
	in = lookup{object: before.canonical()}
	for c := open(after); c.more(); {
		name, value := c.name(), c.value()
		if _, found := in.member(name); !found {
			d.members = append(d.members, memberDifference{name, Difference{set: value}})
		}
	}
	return d
}

func diffItems(before []Value, after Value) Difference {
	items := after.Items()
	if len(before) == 0 || len(items) <= len(before) {
		return Difference{set: after.canonical()}
	}
	for i, was := range before {
		if !identical(was.canonical(), items[i].canonical()) {
			return Difference{set: after.canonical()}
		}
	}
	d := Difference{after: after.canonical()}
	for _, item := range items[len(before):] {
		d.appended = append(d.appended, item.canonical())
	}
	return d
}

// Empty reports whether the difference changes nothing.
func (d Difference) Empty() bool {
	return d.set == "" && !d.removed && d.appended == nil && d.members == nil
}

// Apply returns doc with the difference applied. The error wraps [ErrTooLarge] if that is beyond
// the budget. It is [ErrTooDeep] if the result nests deeper than [MaxDepth].
func (d Difference) Apply(doc Value, budget *Budget) (Value, error) {
	result := Value{text: d.apply(doc.canonical())}
	if err := budget.Size(result.Size()); err != nil {
		return Value{}, err
	}
	if err := budget.Move(doc.Size() + result.Size()); err != nil {
		return Value{}, err
	}
	if depthOf(result.text) > MaxDepth {
		return Value{}, ErrTooDeep
	}
	return result, nil
}

// apply returns text with the difference applied. The difference does not remove it.
func (d *Difference) apply(text string) string {
	switch {
	case d.set != "":
		return d.set
	case d.appended != nil && text[0] != '[':
		return d.after
	case d.appended != nil:
		return extended(text, d.appended)
	case d.members == nil:
		return text
	}
	if text[0] != '{' {
		text = "{}"
	}
	left := make(map[string]*memberDifference, len(d.members)) // those that text does not have
	for i := range d.members {
		left[d.members[i].name] = &d.members[i]
	}
	var out strings.Builder
	out.WriteByte('{')
	write := func(name, value string) {
		if out.Len() > len("{") {
			out.WriteByte(',')
		}
		out.WriteString(`"` + name + `":` + value)
	}
	for c := open(Value{text: text}); c.more(); {
		name, value := c.name(), c.value()
		m := left[name]
		delete(left, name)
		if m != nil && m.removed {
			continue
		}
		if m != nil {
			value = m.apply(value)
		}
		write(name, value)
	}
	for i := range d.members {
		if m := left[d.members[i].name]; m != nil && !m.removed {
			write(m.name, m.apply("null"))
		}
	}
	out.WriteByte('}')
	return out.String()
}

func extended(list string, items []string) string {
	head := strings.TrimSuffix(list, "]")
	if head != "[" {
		head += ","
	}
	return head + strings.Join(items, ",") + "]"
}

// lookup finds the members of an object. After some searches it makes an index: without one, the
// difference of two large objects takes the product of their sizes.
type lookup struct {
	object string // canonical
	finds  int
	index  map[string]string
}

// member returns the value of the member with this name, as in the canonical text.
func (l *lookup) member(name string) (value string, found bool) {
	const seldom = 8
	if l.finds++; l.finds <= seldom {
		for c := open(Value{text: l.object}); c.more(); {
			if c.name() == name {
				return c.value(), true
			}
			c.skip()
		}
		return "", false
	}
	if l.index == nil {
		l.index = make(map[string]string)
		for c := open(Value{text: l.object}); c.more(); {
			name := c.name()
			l.index[name] = c.value()
		}
	}
	value, found = l.index[name]
	return value, found
}

// identical reports whether two canonical texts are the same except for the order of members and
// the spelling of numbers. Apps write 1.10 as 1.1 without having changed it. Unlike [Value.Equal],
// it distinguishes 1 and 1.0.
func identical(a, b string) bool {
	kind := kindOf(a)
	switch {
	case a == b:
		return true
	case kind != kindOf(b):
		return false
	case kind == Number:
		return isInteger(a) == isInteger(b) && equalNumbers(a, b)
	case kind == Object:
		va, vb, in := Value{text: a}, Value{text: b}, lookup{object: b}
		for c := open(va); c.more(); {
			name, value := c.name(), c.value()
			if other, found := in.member(name); !found || !identical(value, other) {
				return false
			}
		}
		return va.Len() == vb.Len()
	case kind == Array:
		ca, cb := open(Value{text: a}), open(Value{text: b})
		for ca.more() {
			if !cb.more() || !identical(ca.value(), cb.value()) {
				return false
			}
		}
		return !cb.more()
	default:
		return false
	}
}

// isInteger reports whether a number is an int in Python, and no float.
func isInteger(number string) bool { return !strings.ContainsAny(number, ".eE") }
