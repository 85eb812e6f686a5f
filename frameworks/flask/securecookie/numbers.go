package securecookie

import (
	"bytes"
	"fmt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// numbers are the floats that Python's json writes but JSON does not allow, the longest first, and
// the markers that stand for them.
var numbers = []struct{ python, shown []byte }{
	{[]byte("-Infinity"), []byte(`{" o":"float#-Infinity"}`)},
	{[]byte("Infinity"), []byte(`{" o":"float#Infinity"}`)},
	{[]byte("NaN"), []byte(`{" o":"float#NaN"}`)},
}

// showNumbers replaces these numbers in Flask's JSON with markers.
func showNumbers(text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text, nil
	}
	if bytes.Contains(text, []byte(`{" o":"float#`)) {
		return nil, fmt.Errorf("%w: a dict looks like the marker of a number", sessionstore.ErrRecord)
	}
	var out []byte
	for quoted := false; len(text) > 0; {
		n := 1
		switch c := text[0]; {
		case quoted && c == '\\' && len(text) > 1:
			n = 2
		case c == '"':
			quoted = !quoted
		case !quoted:
			if shown, length := marker(text); length > 0 {
				out, text = append(out, shown...), text[length:]
				continue
			}
		}
		out, text = append(out, text[:n]...), text[n:]
	}
	return out, nil
}

// marker returns the marker of the number at the beginning of text and the number's length, or 0 if
// there is none.
func marker(text []byte) (shown []byte, length int) {
	for _, n := range numbers {
		if bytes.HasPrefix(text, n.python) {
			return n.shown, len(n.python)
		}
	}
	return nil, 0
}

// hideNumbers is the reverse of showNumbers. It cannot hit a string: there, the marker's quotes
// would be escaped.
func hideNumbers(text []byte) []byte {
	for _, n := range numbers {
		text = bytes.ReplaceAll(text, n.shown, n.python)
	}
	return text
}
