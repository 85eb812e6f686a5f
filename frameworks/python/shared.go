package python

// references count how often objects occur in a tree.
type references map[Value]int

// add counts v and, at its first occurrence, what is in it.
func (r references) add(v Value) {
	if !isObject(v) {
		return
	}
	if r[v]++; r[v] == 1 {
		eachIn(v, func(in *Value) { r.add(*in) })
	}
}

// isObject reports whether a value has an identity in Python.
func isObject(v Value) bool {
	switch v.(type) {
	case *List, *Tuple, *Set, *Dict, *Object:
		return true
	default:
		return false
	}
}

// eachIn calls use for each value directly in v.
func eachIn(v Value, use func(*Value)) {
	all := func(values []Value) {
		for i := range values {
			use(&values[i])
		}
	}
	switch v := v.(type) {
	case *List:
		all(v.Items)
	case *Tuple:
		all(v.Items)
	case *Set:
		all(v.Items)
	case *Dict:
		for i := range v.Pairs {
			use(&v.Pairs[i].Key)
			use(&v.Pairs[i].Value)
		}
	case *Object:
		use(&v.Args)
		use(&v.Kwargs)
		for _, step := range v.Then {
			all(step.Values)
		}
	}
}

// separate puts a copy wherever an object of before occurs in after more often than in before.
// Otherwise an item that was copied would be one object at two places, and the app would change
// both at once. It changes only those objects of after that are not of before.
func separate(before, after Value) {
	allowed := make(references)
	allowed.add(before)
	s := separator{allowed: allowed, kept: make(references), looked: make(map[Value]bool)}
	s.count(after)
	s.replace(after)
}

type separator struct {
	// allowed is how often each object of before occurs there; kept is how often it occurs in
	// after.
	allowed, kept references

	looked map[Value]bool
}

// isNew reports whether v is an object that before does not have.
func (s *separator) isNew(v Value) bool { return isObject(v) && s.allowed[v] == 0 }

// count counts in kept the references from objects of before, which stay as they are.
func (s *separator) count(v Value) {
	if !isObject(v) || s.looked[v] {
		return
	}
	s.looked[v] = true
	eachIn(v, func(in *Value) {
		if !s.isNew(v) && isObject(*in) {
			s.kept[*in]++
		}
		s.count(*in)
	})
}

// replace counts the references from a new object too, and makes copies where there are too many.
func (s *separator) replace(v Value) {
	if !s.isNew(v) {
		return
	}
	eachIn(v, func(in *Value) {
		switch {
		case s.isNew(*in):
			s.replace(*in)
		case isObject(*in):
			if s.kept[*in]++; s.kept[*in] > s.allowed[*in] {
				*in = copyOf(*in, make(map[Value]Value))
			}
		}
	})
}

// copyOf returns a copy of v, in which nothing is an object of v. copies are those made before.
func copyOf(v Value, copies map[Value]Value) Value {
	if made, found := copies[v]; found {
		return made
	}
	all := func(values []Value) []Value {
		made := make([]Value, len(values))
		for i, in := range values {
			made[i] = copyOf(in, copies)
		}
		return made
	}
	switch v := v.(type) {
	case *List:
		made := new(List)
		copies[v] = made
		made.Items = all(v.Items)
		return made
	case *Tuple:
		made := new(Tuple)
		copies[v] = made
		made.Items = all(v.Items)
		return made
	case *Set:
		made := &Set{Frozen: v.Frozen}
		copies[v] = made
		made.Items = all(v.Items)
		return made
	case *Dict:
		made := new(Dict)
		copies[v] = made
		for _, p := range v.Pairs {
			made.Add(copyOf(p.Key, copies), copyOf(p.Value, copies))
		}
		return made
	case *Object:
		made := &Object{How: v.How, Class: v.Class}
		copies[v] = made
		made.Args, made.Kwargs = copyOf(v.Args, copies), copyOf(v.Kwargs, copies)
		for _, step := range v.Then {
			made.Then = append(made.Then, Step{step.Do, all(step.Values)})
		}
		return made
	default:
		return v
	}
}
