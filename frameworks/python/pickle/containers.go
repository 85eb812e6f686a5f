package pickle

import (
	"strings"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func (w *writer) list(l *python.List) error {
	if w.protocol == 0 {
		w.out = append(w.out, opMark, opList)
	} else {
		w.out = append(w.out, opEmptyList)
	}
	w.remember(l)
	return w.give(python.Step{Do: python.Append, Values: l.Items})
}

func (w *writer) dict(d *python.Dict) error {
	if w.protocol == 0 {
		w.out = append(w.out, opMark, opDict)
	} else {
		w.out = append(w.out, opEmptyDict)
	}
	w.remember(d)
	values := make([]python.Value, 0, 2*len(d.Pairs))
	for _, p := range d.Pairs {
		values = append(values, p.Key, p.Value)
	}
	return w.give(python.Step{Do: python.SetItems, Values: values})
}

func (w *writer) set(s *python.Set) error {
	switch {
	case w.protocol < 4:
		name := "set"
		if s.Frozen {
			name = "frozenset"
		}
		return w.object(&python.Object{
			Class: python.Global{Module: w.builtins(), Name: name}, Args: &python.Tuple{Items: []python.Value{&python.List{Items: s.Items}}},
		})
	case s.Frozen:
		w.open[s] = true
		w.out = append(w.out, opMark)
		if err := w.values(s.Items); err != nil {
			return err
		}
		w.out = append(w.out, opFrozenSet)
		w.remember(s)
		return nil
	default:
		w.out = append(w.out, opEmptySet)
		w.remember(s)
		return w.give(python.Step{Do: python.AddItems, Values: s.Items})
	}
}

func (w *writer) tuple(t *python.Tuple) error {
	w.open[t] = true
	n := len(t.Items)
	marked := w.protocol < 2 && n > 0 || n > 3 || w.protocol == 0
	if marked {
		w.out = append(w.out, opMark)
	}
	if err := w.values(t.Items); err != nil {
		return err
	}
	switch {
	case marked:
		w.out = append(w.out, opTuple)
	case n == 0:
		w.out = append(w.out, opEmptyTuple)
	default:
		w.out = append(w.out, opTuple1+byte(n-1))
	}
	w.remember(t)
	return nil
}

func (w *writer) values(values []python.Value) error {
	for _, v := range values {
		if err := w.value(v); err != nil {
			return err
		}
	}
	return nil
}

// give writes a step that changes the object on top of the stack.
func (w *writer) give(step python.Step) error {
	if step.Do == python.Build {
		if err := w.values(step.Values); err != nil {
			return err
		}
		w.out = append(w.out, opBuild)
		return nil
	}
	if len(step.Values) == 0 {
		return nil
	}
	if w.protocol == 0 {
		return w.giveOneByOne(step)
	}
	w.out = append(w.out, opMark)
	if err := w.values(step.Values); err != nil {
		return err
	}
	w.out = append(w.out, map[python.StepKind]byte{
		python.Append: opAppends, python.SetItems: opSetItems, python.AddItems: opAddItems,
	}[step.Do])
	return nil
}

func (w *writer) giveOneByOne(step python.Step) error {
	for i, v := range step.Values {
		if err := w.value(v); err != nil {
			return err
		}
		switch {
		case step.Do == python.Append:
			w.out = append(w.out, opAppend)
		case step.Do == python.SetItems && i%2 == 1:
			w.out = append(w.out, opSetItem)
		case step.Do == python.AddItems:
			return sessionstore.ErrInvalid
		}
	}
	return nil
}

// global writes a name. Before protocol 4 a name cannot contain dots, so an attribute of a class
// needs a call of getattr.
func (w *writer) global(g python.Global) {
	if dot := strings.LastIndexByte(g.Name, '.'); dot > 0 && w.protocol < 4 {
		w.line(opGlobal, w.builtins()+"\ngetattr")
		w.out = append(w.out, opMark)
		w.global(python.Global{Module: g.Module, Name: g.Name[:dot]})
		w.str(g.Name[dot+1:])
		w.out = append(w.out, opTuple, opReduce)
		return
	}
	if w.protocol < 4 {
		w.line(opGlobal, g.Module+"\n"+g.Name)
		return
	}
	w.str(g.Module)
	w.str(g.Name)
	w.out = append(w.out, opStackGlobal)
}

func (w *writer) object(o *python.Object) error {
	if o.How == python.NewObj && w.protocol < 2 {
		return w.reconstructed(o)
	}
	w.open[o] = true
	w.global(o.Class)
	if err := w.value(o.Args); err != nil {
		return err
	}
	switch {
	case o.How == python.NewObjEx && w.protocol >= 4:
		if err := w.value(o.Kwargs); err != nil {
			return err
		}
		w.out = append(w.out, opNewObjEx)
	case o.How == python.NewObj:
		w.out = append(w.out, opNewObj)
	case o.How == python.Reduce:
		w.out = append(w.out, opReduce)
	default:
		return sessionstore.ErrInvalid
	}
	w.remember(o)
	for _, step := range o.Then {
		if err := w.give(step); err != nil {
			return err
		}
	}
	return nil
}

// reconstructed writes an object with copyreg's _reconstructor: protocols 0 and 1 have no opcode
// for __new__.
func (w *writer) reconstructed(o *python.Object) error {
	args, ok := o.Args.(*python.Tuple)
	if !ok || len(args.Items) > 1 {
		return sessionstore.ErrInvalid
	}
	base, state := python.Global{Module: "__builtin__", Name: "object"}, python.Value(python.None{})
	if len(args.Items) == 1 {
		if base.Name, state = "unicode", args.Items[0]; state == nil {
			return sessionstore.ErrInvalid
		}
		if _, ok := state.(python.Str); !ok {
			return sessionstore.ErrInvalid
		}
	}
	return w.object(&python.Object{
		Class: python.Global{Module: "copy_reg", Name: "_reconstructor"},
		Args:  &python.Tuple{Items: []python.Value{o.Class, base, state}},
		Then:  o.Then,
	})
}
