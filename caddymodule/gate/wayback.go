package gate

import (
	"net/url"
	"strings"
)

// maxWayBack is the maximum length of the way back, in bytes. Servers limit the length of a URL.
const maxWayBack = 2000

// wayBack returns the path and query of a URL. It returns "" if the path could lead to another host
// or end a header (open redirect): browsers read \ as / and skip tabs, and apps may decode a path
// twice or resolve dots.
func wayBack(u *url.URL) string {
	escaped, decoded := u.EscapedPath(), u.Path
	if !strings.HasPrefix(escaped, "/") || strings.HasPrefix(escaped, "//") {
		return ""
	}
	if len(escaped) > 2 && escaped[1] == '%' && escaped[2] < '8' {
		return "" // encoded ASCII, which may decode to a slash
	}
	for i := range len(decoded) {
		if c := decoded[i]; c < ' ' || c == 0x7f || c == '\\' {
			return ""
		}
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return ""
		}
	}
	if u.RawQuery != "" {
		escaped += "?" + u.RawQuery
	}
	if len(escaped) > maxWayBack {
		return ""
	}
	return escaped
}
