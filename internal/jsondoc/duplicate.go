package jsondoc

// duplicate returns the offset of the first name that is twice in names.
func duplicate(names []name) (offset int, found bool) {
	seen := make(map[string]struct{}, len(names))
	for i, n := range names {
		if seen[n.text] = struct{}{}; len(seen) == i {
			return n.offset, true
		}
	}
	return 0, false
}
