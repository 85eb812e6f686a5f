package parts

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// FuzzPercentEncode checks that a value cannot break a header, can be decoded, and differs from all
// other values.
func FuzzPercentEncode(f *testing.F) {
	for _, s := range []string{"", " ", "zoe", "Zoë\r\nX: 1", "%41", " a ", "\x00\x7f\xff", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded := percentEncode(text)
		if !httpguts.ValidHeaderFieldValue(encoded) || strings.TrimSpace(encoded) != encoded {
			t.Errorf("%q becomes %q, which is no header's value", text, encoded)
		}
		for i := range len(encoded) {
			if c := encoded[i]; c < ' ' || c > '~' {
				t.Errorf("%q becomes %q, which is not ASCII", text, encoded)
			}
		}
		if decoded, err := url.PathUnescape(encoded); err != nil || decoded != text {
			t.Errorf("%q becomes %q, and that %q, %v", text, encoded, decoded, err)
		}
	})
}
