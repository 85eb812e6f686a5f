package cachelib

import (
	"bytes"
	"testing"
)

// FuzzParse checks that whatever is parsed as a session reads back the same after writing, and that
// only one form fits.
func FuzzParse(f *testing.F) {
	value := "\x80\x05\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."
	for _, head := range []string{
		"", "\x80\xcf\x7c\x65", "\x00\x00\x00\x00", "K\x00.", "M\x01\x02.", "J\x80\xcf\x7c\x65.", "L2147483653L\n.", "\x80\x05K\x00.",
		"\x80\x05\x95\x06\x00\x00\x00\x00\x00\x00\x00J\x80\xcf\x7c\x65.", "\x80\x04\x95\x08\x00\x00\x00\x00\x00\x00\x00\x8a\x05\x05\x00\x00\x80\x00.",
	} {
		f.Add([]byte(head + value))
		f.Add([]byte(head))
	}
	f.Add([]byte("\x80\x05\x950\x80\x0500000J0000.\x80\x050")) // a frame of the wrong length
	f.Add([]byte("M\x00\x00.\x80\x050"))                       // a number that is longer than necessary
	f.Add([]byte("\x8a\x0500\x80\x050.\x80\x050"))             // an opcode of another protocol
	f.Add([]byte("\x80\x03J0\x80\x030.\x80\x030"))             // a protocol that cachelib did not use
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, old := parsePickled(raw); old && len(raw) >= modernLen && isPickle(raw[modernLen:]) {
			t.Fatalf("%q is valid in both forms", raw)
		}
		c, err := parse(raw)
		if err != nil {
			return
		}
		if c.at >= 0 {
			if four, fits := c.expiryBytes(c.expiry); fits && !bytes.Equal(raw[c.at:c.at+4], four) {
				t.Errorf("%q: the expiry is not at %d", raw, c.at)
			}
		}
		again, err := parse(c.append(nil))
		if err != nil || again.form != c.form || again.expiry != c.expiry || !bytes.Equal(again.value, c.value) {
			t.Errorf("%q: %v became %v, %v", raw, c, again, err)
		}
	})
}
