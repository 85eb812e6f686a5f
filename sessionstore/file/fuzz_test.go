package file

import (
	"bytes"
	"testing"
)

// FuzzParse parses any content. What parses must be a session.
func FuzzParse(f *testing.F) {
	whole := append(headerOf(1e12, []byte("value")).append(nil), "value"...)
	f.Add(whole)
	f.Add(whole[:10])
	f.Add([]byte("text"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parse(raw)
		if err == nil && !bytes.Equal(append(r.header.append(nil), r.value...), raw) {
			t.Errorf("%q was taken for a session", raw)
		}
	})
}
