package vault

import (
	"strings"
	"time"
)

const (
	// maxPair is the maximum length of a cookie's name and value together, in bytes (section 5.6).
	maxPair = 4096

	// maxAttribute is the maximum length of the value of an attribute, in bytes. Longer ones are
	// ignored (section 5.6).
	maxAttribute = 1024

	// maxAge is the maximum lifetime of a cookie (section 5.5).
	maxAge = 400 * 24 * time.Hour
)

// SameSite says whether a cookie is added to requests that other sites have caused.
type SameSite uint8

// The values of the attribute. Every other text means [SameSiteDefault].
const (
	SameSiteDefault SameSite = iota
	SameSiteNone
	SameSiteLax
	SameSiteStrict
)

// setCookie is a parsed Set-Cookie line.
type setCookie struct {
	name, value string

	// expires is the last valid Expires, maxAge the last valid Max-Age, if there was one.
	expires               time.Time
	maxAge                time.Duration
	hasExpires, hasMaxAge bool

	domain string

	// path is empty if it is the default one.
	path    string
	hasPath bool

	secure, httpOnly bool
	sameSite         SameSite
}

// parse is the algorithm of section 5.6. It reports false for a line that a browser ignores.
func parse(line string) (c setCookie, ok bool) {
	if strings.ContainsFunc(line, isControl) {
		return c, false
	}
	pair, attributes, more := strings.Cut(line, ";")
	c.name, c.value = split(pair)
	if !strings.Contains(pair, "=") {
		c.name, c.value = "", c.name
	}
	if len(c.name)+len(c.value) > maxPair || c.name == "" && c.value == "" {
		return c, false
	}
	for more {
		var av string
		av, attributes, more = strings.Cut(attributes, ";")
		if name, value := split(av); len(value) <= maxAttribute {
			c.attribute(name, value)
		}
	}
	return c, true
}

// isControl reports whether r is a control character other than a tab.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

const whitespace = " \t"

func split(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	return strings.Trim(name, whitespace), strings.Trim(value, whitespace)
}

// attribute is the algorithm of the sections 5.6.1 to 5.6.7. Of several attributes with one name,
// the last one counts.
func (c *setCookie) attribute(name, value string) {
	switch strings.ToLower(name) {
	case "expires":
		if at, ok := parseDate(value); ok {
			c.expires, c.hasExpires = at, true
		}
	case "max-age":
		if age, ok := parseAge(value); ok {
			c.maxAge, c.hasMaxAge = age, true
		}
	case "domain":
		c.domain = lower(strings.TrimPrefix(value, "."))
	case "path":
		c.path, c.hasPath = "", true
		if strings.HasPrefix(value, "/") {
			c.path = value
		}
	case "secure":
		c.secure = true
	case "httponly":
		c.httpOnly = true
	case "samesite":
		switch strings.ToLower(value) {
		case "none":
			c.sameSite = SameSiteNone
		case "lax":
			c.sameSite = SameSiteLax
		case "strict":
			c.sameSite = SameSiteStrict
		default:
			c.sameSite = SameSiteDefault
		}
	}
}

// parseAge reads a Max-Age (section 5.6.2). The result is at most maxAge.
func parseAge(text string) (age time.Duration, ok bool) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	if len(digits) < len(text) {
		return 0, true
	}
	for i := range len(digits) {
		age = 10*age + time.Duration(digits[i]-'0')*time.Second
		if age >= maxAge {
			return maxAge, true
		}
	}
	return age, true
}

// lower converts only ASCII letters. Others are not converted in the name of a domain.
func lower(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
