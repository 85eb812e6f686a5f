package jsondoc

import (
	"hash/maphash"
	"slices"
	"strings"
)

var seed = maphash.MakeSeed()

// duplicate returns the offset of the first name that stands in names twice. It
// sorts the names of a large object, so that thousands of members cost no
// square. Otherwise it compares only names of one hash, which are few, and never too many.
func duplicate(names []name) (offset int, found bool) {
	const many, bits = 512, 4096
	if len(names) > many {
		return duplicateSorted(names)
	}
	var seen [bits / 64]uint64
	for i, n := range names {
		hash := maphash.String(seed, n.text) % bits
		word, bit := &seen[hash/64], uint64(1)<<(hash%64)
		if *word&bit != 0 && slices.ContainsFunc(names[:i], func(m name) bool { return m.text == n.text }) {
			return n.offset, true
		}
		*word |= bit
	}
	return 0, false
}

func duplicateSorted(names []name) (offset int, found bool) {
	slices.SortFunc(names, func(a, b name) int {
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		return a.offset - b.offset
	})
	for i := 1; i < len(names); i++ {
		if names[i].text == names[i-1].text && (!found || names[i].offset < offset) {
			offset, found = names[i].offset, true
		}
	}
	return offset, found
}
