package file

import (
	"bytes"
	"testing"
)

// FuzzParse parses any content. What parses must be a session.
func FuzzParse(f *testing.F) {
	whole := encode("key", 1e12, []byte("value"))
	f.Add(whole)
	f.Add(whole[:10])
	f.Add([]byte("text"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parse(raw)
		if err == nil && !bytes.Equal(encode(string(r.key), r.deadline, r.value), raw) {
			t.Errorf("%q was taken for a session", raw)
		}
	})
}
