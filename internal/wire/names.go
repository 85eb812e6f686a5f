// Package wire is how headers and cookies look on their way: names as any server may read them, lists of tokens, and the
// lines of Cookie and Set-Cookie.
package wire

// Names is a set of header names. It finds them as a server on the way may read them: in any case, and with "_" for
// whatever is no letter or digit, as CGI has it in lighttpd and BusyBox. It is asked for every header of every request,
// so it looks at the length first. The zero value is empty.
type Names struct {
	lengths uint64
	names   []marked
}

type marked struct {
	folded string
	mark   int
}

// Add adds a name with its mark, which is not 0.
func (s *Names) Add(name string, mark int) {
	s.lengths |= 1 << (len(name) % 64)
	s.names = append(s.names, marked{Fold(name), mark})
}

// Find returns the mark of a name, and 0 if it is not in the set.
func (s *Names) Find(name string) (mark int) {
	if s.lengths&(1<<(len(name)%64)) == 0 {
		return 0
	}
	for _, n := range s.names {
		if foldsTo(name, n.folded) {
			return n.mark
		}
	}
	return 0
}

// Fold returns a name in the form in which all its spellings are one.
func Fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = foldByte(c)
	}
	return string(b)
}

func foldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}
