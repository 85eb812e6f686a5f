package jsondoc

import "hash/maphash"

var seed = maphash.MakeSeed()

// duplicate returns the offset of the first name that is twice in names.
//
// It puts the names into a hash table that is at most half full. The seed is random, so nobody can
// choose names with equal hashes, and the time does not grow with the square of the members.
func duplicate(names []name) (offset int, found bool) {
	var room [128]int32 // enough for an object of usual size, so that it costs no allocation
	size := 4
	for size < 2*len(names) {
		size *= 2
	}
	table := room[:min(size, len(room))]
	if size > len(room) {
		table = make([]int32, size)
	}
	for i, n := range names {
		slot := int(maphash.String(seed, n.text)) & (size - 1)
		for ; table[slot] != 0; slot = (slot + 1) & (size - 1) {
			if names[table[slot]-1].text == n.text {
				return n.offset, true
			}
		}
		table[slot] = int32(i + 1)
	}
	return 0, false
}
