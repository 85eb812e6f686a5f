package jsondoc

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const lowerHex = "0123456789abcdef"

// ASCII returns the canonical form of v: compact, with members in their order and numbers as they
// were written. In strings, everything but printable ASCII is escaped.
func (v Value) ASCII() string { return v.canonical() }

// AppendASCII appends the canonical form of v to dst: see [Value.ASCII].
func (v Value) AppendASCII(dst []byte) []byte { return append(dst, v.canonical()...) }

// AppendUTF8 appends ascii, the canonical ASCII form of a value, to dst, with UTF-8 characters in
// place of their \u escapes. Control characters and surrogates without a partner stay escaped. It
// does not parse the text, and copies what is not JSON unchanged.
func AppendUTF8(dst, ascii []byte) []byte {
	start := len(dst)
	return unescape(append(dst, ascii...), start, false)
}

// WithoutSurrogates returns ascii, the canonical ASCII form of a value, with U+FFFD in place of
// every surrogate without a partner.
func WithoutSurrogates(ascii string) string {
	if !strings.Contains(ascii, `\ud`) {
		return ascii
	}
	buf := []byte(ascii)
	for i := 0; ; {
		n := bytes.IndexByte(buf[i:], '\\')
		if n < 0 {
			return string(buf)
		}
		i += n
		size, r, ok := readEscape(buf[i:])
		if ok && size == len(replacement) && utf16.IsSurrogate(r) {
			copy(buf[i:], replacement)
		}
		i += size
	}
}

const replacement = `\ufffd`

// decode returns the string whose form in a canonical text, without the quotes, is given.
func decode(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	return string(unescape([]byte(text), 0, true))
}

// unescape replaces the escapes in buf[start:] and returns buf, which becomes shorter, as no
// character is longer than its escape. With all, it replaces every escape, otherwise only those
// that UTF-8 JSON does not need.
func unescape(buf []byte, start int, all bool) []byte {
	in, out := start, start
	for {
		n := bytes.IndexByte(buf[in:], '\\')
		if n < 0 {
			break
		}
		if in != out {
			copy(buf[out:], buf[in:in+n])
		}
		in, out = in+n, out+n
		size, r, ok := readEscape(buf[in:])
		switch {
		case ok && (all || r > 0x7e && !utf16.IsSurrogate(r)):
			// An unpaired surrogate is written as U+FFFD.
			out += utf8.EncodeRune(buf[out:in+size], r)
		default:
			out += copy(buf[out:], buf[in:in+size])
		}
		in += size
	}
	return append(buf[:out], buf[in:]...)
}

// readEscape reads the escape at the beginning of text, or both escapes of a pair of surrogates. ok
// is false if there is no canonical escape.
func readEscape(text []byte) (size int, r rune, ok bool) {
	if len(text) < 2 {
		return len(text), 0, false
	}
	if text[1] != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, text[1])
		if i < 0 {
			return 1, 0, false
		}
		return 2, rune("\"\\/\b\f\n\r\t"[i]), true
	}
	r, ok = unhex(string(text[2:min(6, len(text))]))
	if !ok {
		return 2, 0, false
	}
	if utf16.IsSurrogate(r) && len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		low, ok := unhex(string(text[8:12]))
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			return 12, pair, true
		}
	}
	return 6, r, true
}

// writeEscaped writes the form of s in a canonical text, without the quotes. Bytes that are not
// UTF-8 become U+FFFD.
func writeEscaped(out *strings.Builder, s string) {
	var buf [12]byte
	start := 0
	for i, r := range s {
		if r >= ' ' && r < 0x7f && r != '"' && r != '\\' {
			continue
		}
		out.WriteString(s[start:i])
		out.Write(appendRune(buf[:0], r))
		_, size := utf8.DecodeRuneInString(s[i:])
		start = i + size
	}
	out.WriteString(s[start:])
}

// appendRune appends the form of r, which may be a surrogate, in a canonical text.
func appendRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r >= ' ' && r < 0x7f:
		return append(dst, byte(r))
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendRune(appendRune(dst, high), low)
	}
	if i := strings.IndexRune("\b\f\n\r\t", r); i >= 0 && !utf16.IsSurrogate(r) {
		return append(dst, '\\', "bfnrt"[i])
	}
	return append(dst, '\\', 'u', lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
}
