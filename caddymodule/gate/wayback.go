package gate

import (
	"net/url"
	"strings"
)

// maxWayBack is how many bytes the way back may have: servers limit what is in a URL.
const maxWayBack = 2000

// wayBack is the path and query of a URL, or nothing if there is anything in its path that somebody could take
// for another host or the end of a header: a browser, which reads \ as / and skips tabs, or an app
// that decodes once too often or resolves dots.
func wayBack(u *url.URL) string {
	escaped, decoded := u.EscapedPath(), u.Path
	if !strings.HasPrefix(escaped, "/") || strings.HasPrefix(escaped, "//") {
		return ""
	}
	if len(escaped) > 2 && escaped[1] == '%' && escaped[2] < '8' {
		return "" // encoded ASCII, which may be a slash in the end
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
