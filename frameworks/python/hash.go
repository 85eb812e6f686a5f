package python

import (
	"crypto/sha256"
	"fmt"
	"hash"
)

// hasher hashes a value: equal types and contents have the same hash.
type hasher struct {
	sum  hash.Hash
	seen map[Value]int // objects so far, numbered in order
	size int
	err  error
}

func (h *hasher) write(format string, args ...any) {
	n, _ := fmt.Fprintf(h.sum, format, args...)
	if h.size += n; h.size > maxJSON*4 {
		h.err = errSize
	}
}

// value adds v to the hash. An object that occurs again is written as its number, so cycles end.
func (h *hasher) value(v Value, depth int) {
	if depth > maxNesting {
		h.err = errSize
	}
	if h.err != nil {
		return
	}
	switch v.(type) {
	case *List, *Tuple, *Set, *Dict, *Object:
		if n, met := h.seen[v]; met {
			h.write("=%d;", n)
			return
		}
		h.seen[v] = len(h.seen)
	}
	switch v := v.(type) {
	case *List:
		h.values("list", v.Items, depth)
	case *Tuple:
		h.values("tuple", v.Items, depth)
	case *Set:
		h.values(fmt.Sprintf("set %t", v.Frozen), v.Items, depth)
	case *Dict:
		h.write("dict %d:", len(v.Pairs))
		for _, p := range v.Pairs {
			h.value(p.Key, depth+1)
			h.value(p.Value, depth+1)
		}
	case *Object:
		h.write("object %d %q %q:", v.How, v.Class.Module, v.Class.Name)
		h.value(v.Args, depth+1)
		h.value(v.Kwargs, depth+1)
		for _, step := range v.Then {
			h.values(fmt.Sprintf("step %d", step.Do), step.Values, depth)
		}
	default:
		h.write("%T %q;", v, fmt.Sprint(v))
	}
}

// maxNesting is how deep values may nest. Below the depth of JSON they are parts of a marker.
const maxNesting = 200

func (h *hasher) values(what string, values []Value, depth int) {
	h.write("%s %d:", what, len(values))
	for _, v := range values {
		h.value(v, depth+1)
	}
}

func hashOf(v Value) string {
	h := hasher{sum: sha256.New(), seen: make(map[Value]int)}
	h.value(v, 0)
	return string(h.sum.Sum(nil))
}
