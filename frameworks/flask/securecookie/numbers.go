package securecookie

import (
	"bytes"
	"fmt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// numbers are the floats that Python's json writes as no JSON has them, longest first, and the
// markers that they are shown as.
var numbers = []struct{ python, shown []byte }{
	{[]byte("-Infinity"), []byte(`{" o":"float#-Infinity"}`)},
	{[]byte("Infinity"), []byte(`{" o":"float#Infinity"}`)},
	{[]byte("NaN"), []byte(`{" o":"float#NaN"}`)},
}

// showNumbers turns such numbers in Flask's JSON into markers.
func showNumbers(text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text, nil
	}
	if bytes.Contains(text, []byte(`{" o":"float#`)) {
		return nil, fmt.Errorf("%w: it holds a dict that looks like a number", sessionstore.ErrRecord)
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

// marker returns what the number at the beginning of a text is shown as, and its length, 0 if there
// is none.
func marker(text []byte) (shown []byte, length int) {
	for _, n := range numbers {
		if bytes.HasPrefix(text, n.python) {
			return n.shown, len(n.python)
		}
	}
	return nil, 0
}

// hideNumbers is the reverse. In no string of JSON can there be a marker: its quotes would be
// escaped.
func hideNumbers(text []byte) []byte {
	for _, n := range numbers {
		text = bytes.ReplaceAll(text, n.shown, n.python)
	}
	return text
}
