package wire

import (
	"net/http"
	"slices"
	"strings"
)

// SetLines sets the lines of a header, or deletes it if there are none.
func SetLines(h http.Header, name string, lines []string) {
	if len(lines) == 0 {
		delete(h, name)
	} else {
		h[name] = lines
	}
}

// Size returns the size of a header's lines in an HTTP/1.1 message, in bytes.
func Size(name string, lines []string) (size int) {
	for _, line := range lines {
		size += len(name) + len(": ") + len(line) + len("\r\n")
	}
	return size
}

// RemoveTokens removes the comma-separated tokens for which drop is true from the lines of a
// header. It reports whether there were any. Without any, it allocates nothing.
func RemoveTokens(lines []string, drop func(token string) bool) (kept []string, removed bool) {
	if !slices.ContainsFunc(lines, func(line string) bool { return AnyToken(line, drop) }) {
		return lines, false
	}
	for _, line := range lines {
		var tokens []string
		for token := range strings.SplitSeq(line, ",") {
			if token = strings.TrimSpace(token); !drop(token) {
				tokens = append(tokens, token)
			}
		}
		if len(tokens) > 0 {
			kept = append(kept, strings.Join(tokens, ", "))
		}
	}
	return kept, true
}

// AnyToken reports whether match is true for one of the comma-separated tokens in a line.
func AnyToken(line string, match func(token string) bool) bool {
	for more := true; more; {
		var token string
		token, line, more = strings.Cut(line, ",")
		if match(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}
