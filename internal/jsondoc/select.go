package jsondoc

// Select returns a document with only those fields of v that paths name, in the same order and
// nesting. It is the empty object if there are none. In a list, items before a selected one become
// null if they are not selected, so that every path finds the same value in the result as in v.
func Select(v Value, paths []Path) Value {
	var buf [16]Path
	wanted := buf[:0]
	for _, path := range paths {
		if len(path.segments) > 0 {
			wanted = append(wanted, path)
		}
	}
	selected, found := selectFrom(nil, v.canonical(), wanted, 0)
	if !found {
		return NewObject()
	}
	return Value{text: string(selected)}
}

// selectFrom appends to out the fields in a canonical text that paths name, by their segments from
// depth on. It appends nothing if there are none. It reorders paths.
func selectFrom(out []byte, text string, paths []Path, depth int) (_ []byte, found bool) {
	if text[0] != '{' && text[0] != '[' {
		return out, false
	}
	start := len(out)
	out = append(out, text[0])
	written := 0
	for c, i := open(Value{text: text}), 0; c.more(); i++ {
		var name string
		if c.object() {
			name = c.name()
		}
		matching, whole := match(paths, depth, c.object(), name, i)
		value := c.value()
		if matching == 0 {
			continue
		}
		mark, before := len(out), written
		for ; !c.object() && written < i; written++ {
			out = append(separate(out, written), "null"...)
		}
		out = separate(out, written)
		if c.object() {
			out = append(append(append(out, '"'), name...), `":`...)
		}
		if whole {
			out = append(out, value...)
		} else if out, whole = selectFrom(out, value, paths[:matching], depth+1); !whole {
			out, written = out[:mark], before
			continue
		}
		written++
	}
	if written == 0 {
		return out[:start], false
	}
	return append(out, text[len(text)-1]), true
}

// match moves the paths that lead into the i-th member or item to the front, and returns their
// number. whole says that one of them ends there.
func match(paths []Path, depth int, object bool, name string, i int) (matching int, whole bool) {
	for j, path := range paths {
		segment := path.segments[depth]
		if object {
			if segment != name {
				continue
			}
		} else if index, ok := parseIndex(segment); !ok || index != i {
			continue
		}
		whole = whole || len(path.segments) == depth+1
		paths[matching], paths[j] = paths[j], paths[matching]
		matching++
	}
	return matching, whole
}

func separate(out []byte, written int) []byte {
	if written > 0 {
		out = append(out, ',')
	}
	return out
}
