package pickle

import (
	"slices"
	"strconv"

	"github.com/caddy-session/caddy-session/frameworks/python"
)

// container runs the opcodes that make and fill lists, tuples, sets and dicts.
func (m *machine) container(op byte) (bool, error) {
	switch op {
	case opEmptyList:
		m.push(new(python.List))
	case opEmptyDict:
		m.push(new(python.Dict))
	case opEmptyTuple:
		m.push(new(python.Tuple))
	case opEmptySet:
		m.least = max(m.least, 4)
		m.push(new(python.Set))
	case opTuple1, opTuple2, opTuple3:
		n := int(op-opTuple1) + 1
		items := make([]python.Value, n)
		for i := n - 1; i >= 0; i-- {
			var err error
			if items[i], err = m.pop(); err != nil {
				return true, err
			}
		}
		m.push(&python.Tuple{Items: items})
	case opAppend, opSetItem:
		return true, m.fillOne(op)
	case opList, opTuple, opDict, opFrozenSet, opAppends, opSetItems, opAddItems:
		values, err := m.popMark()
		if err != nil {
			return true, err
		}
		return true, m.fill(op, values)
	default:
		return false, nil
	}
	return true, nil
}

func (m *machine) fillOne(op byte) error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	if op == opAppend {
		return m.fill(opAppends, []python.Value{v})
	}
	key, err := m.pop()
	if err != nil {
		return err
	}
	return m.fill(opSetItems, []python.Value{key, v})
}

var steps = map[byte]python.StepKind{opAppends: python.Append, opSetItems: python.SetItems, opAddItems: python.AddItems}

// fill makes a container from the values, or adds them to the container on top of the stack.
func (m *machine) fill(op byte, values []python.Value) error {
	switch op {
	case opList:
		m.push(&python.List{Items: values})
		return nil
	case opTuple:
		m.push(&python.Tuple{Items: values})
		return nil
	case opFrozenSet:
		m.least = max(m.least, 4)
		m.push(&python.Set{Items: values, Frozen: true})
		return nil
	case opDict:
		d := new(python.Dict)
		m.push(d)
		return addPairs(d, values)
	}
	into, err := m.top()
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *python.List:
		if op == opAppends {
			into.Items = append(into.Items, values...)
			return nil
		}
	case *python.Set:
		if op == opAddItems && !into.Frozen {
			into.Items = append(into.Items, values...)
			return nil
		}
	case *python.Dict:
		if op == opSetItems {
			return addPairs(into, values)
		}
	case *python.Object:
		if op == opSetItems && len(values)%2 != 0 {
			return errPickle
		}
		into.Then = append(into.Then, python.Step{Do: steps[op], Values: values})
		return nil
	}
	return errPickle
}

func addPairs(d *python.Dict, values []python.Value) error {
	if len(values)%2 != 0 {
		return errPickle
	}
	for i := 0; i < len(values); i += 2 {
		d.Add(values[i], values[i+1])
	}
	return nil
}

// object runs the opcodes by which Python loads classes, calls them and sets the state of
// instances.
func (m *machine) object(op byte) (bool, error) {
	switch op {
	case opGlobal:
		module, err := m.line()
		if err != nil {
			return true, err
		}
		name, err := m.line()
		if err != nil {
			return true, err
		}
		m.global(string(module), string(name))
	case opStackGlobal:
		m.least = max(m.least, 4)
		name, err1 := m.pop()
		module, err2 := m.pop()
		n, ok1 := name.(python.Str)
		mod, ok2 := module.(python.Str)
		if err1 != nil || err2 != nil || !ok1 || !ok2 {
			return true, errPickle
		}
		m.global(string(mod), string(n))
	case opReduce:
		return true, m.make(python.Reduce, false)
	case opNewObj:
		return true, m.make(python.NewObj, false)
	case opNewObjEx:
		m.least = max(m.least, 4)
		return true, m.make(python.NewObjEx, true)
	case opBuild:
		state, err := m.pop()
		if err != nil {
			return true, err
		}
		into, err := m.top()
		if err != nil {
			return true, err
		}
		o, ok := into.(*python.Object)
		if !ok {
			return true, errPickle
		}
		o.Then = append(o.Then, python.Step{Do: python.Build, Values: []python.Value{state}})
	default:
		return false, nil
	}
	return true, nil
}

func (m *machine) global(module, name string) {
	g := python.Global{Module: module, Name: name}
	if g.IsGetattr() {
		m.getattrs++
	} else {
		m.calls = append(m.calls, g)
	}
	m.push(g)
}

// attribute returns the attribute that a call of getattr stands for: a method of a class, such as
// ZoneInfo._unpickle, or a nested class.
func attribute(function python.Global, args python.Value) (g python.Global, ok bool) {
	t, ok := args.(*python.Tuple)
	if !ok || !function.IsGetattr() || len(t.Items) != 2 {
		return g, false
	}
	if g, ok = t.Items[0].(python.Global); !ok {
		return g, false
	}
	name, ok := python.Text(t.Items[1])
	g.Name += "." + name
	return g, ok
}

func (m *machine) make(how python.How, keywords bool) error {
	o := &python.Object{How: how}
	var err error
	if keywords {
		if o.Kwargs, err = m.pop(); err != nil {
			return err
		}
	}
	if o.Args, err = m.pop(); err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	var ok bool
	if o.Class, ok = class.(python.Global); !ok {
		return errPickle // the result of a function is called
	}
	if _, ok := o.Args.(*python.Tuple); !ok {
		return errPickle
	}
	if g, ok := attribute(o.Class, o.Args); ok {
		m.attributes++
		m.calls = append(m.calls, g)
		m.push(g)
		return nil
	}
	m.push(o)
	return nil
}

// memory runs the opcodes of the memo.
func (m *machine) memory(op byte) (bool, error) {
	var index uint64
	switch op {
	case opMemoize:
		m.least = max(m.least, 4)
		index = uint64(len(m.memo))
	case opPut, opGet:
		line, err := m.line()
		if err != nil {
			return true, err
		}
		if index, err = strconv.ParseUint(string(line), 10, 63); err != nil {
			return true, errPickle
		}
	case opBinPut, opBinGet, opLongBinPut, opLongBinGet:
		b, err := m.take(widths[op])
		if err != nil {
			return true, err
		}
		for _, v := range slices.Backward(b) {
			index = index<<8 | uint64(v)
		}
	default:
		return false, nil
	}
	switch op {
	case opGet, opBinGet, opLongBinGet:
		v, found := m.memo[index]
		if !found {
			return true, errPickle
		}
		m.push(v)
		return true, nil
	default:
		v, err := m.top()
		m.memo[index] = v
		return true, err
	}
}
