// Package wire reads and edits headers and cookies as they are sent: names of headers as any server
// may read them, lists of tokens, and lines of Cookie and Set-Cookie.
package wire

// Names is a set of header names. It finds a name in all spellings that a server may read as the
// same name: in any case, and with any character that is no letter or digit in place of another, as
// CGI replaces them by "_" in lighttpd and BusyBox. It is used for every header of every request,
// so it compares the length first. The zero value is empty.
type Names struct {
	lengths uint64
	names   []marked
}

type marked struct {
	folded string
	mark   int
}

// Add adds a name with its mark, which must not be 0.
func (s *Names) Add(name string, mark int) {
	s.lengths |= 1 << (len(name) % 64)
	s.names = append(s.names, marked{Fold(name), mark})
}

// Find returns the mark of a name, or 0 if it is not in the set.
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

// Fold returns the common form of all spellings of a name.
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
