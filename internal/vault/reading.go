package vault

import (
	"slices"
	"strings"
)

// Reader finds forged cookies in the Cookie headers of a request: parts between semicolons that a
// server could read as a cookie of the vault, or as the session cookie in another spelling. Servers
// read cookies in many ways:
//
//   - in any case, but our own (ASP.NET), with white space of Unicode around the name (Python, Node), without a "=";
//   - percent-decoded, where a plus sign may be a space (Rack, PHP before 7.2.34, 7.3.23 and 7.4.11), and up to a NUL (PHP);
//   - with "_" for ".", " " and "[", and with a list's index behind the name (PHP);
//   - separated by commas (RFC 2965, Rack 1, Undertow), or by white space (http.cookies of Python, and aiohttp without a "=" too);
//   - behind whatever is no part of a value: a quoted string that has ended (Undertow, WebOb), a date (WebOb), any other character
//     that they do not know (WebOb, older http.cookies, Tomcat's legacy parser).
//
// The time is linear in the length of the header.
type Reader struct {
	patterns *Patterns

	// broken says that a quotation mark was seen where parsers disagree about what is quoted.
	broken bool
}

// Reader returns a reader for one request. If the server gets other cookies before the client's,
// and their quotation marks may be broken, quotation marks of the client protect nothing.
func (p *Patterns) Reader(broken bool) Reader { return Reader{p, broken} }

// Forges reports whether a server could take the next part for a cookie of the vault. It is
// stricter than [Patterns.Match].
func (r *Reader) Forges(pair string) bool {
	p, quoted := r.patterns, false
	if len(p.folded)+len(p.own) == 0 {
		return false
	}
	if strings.ContainsAny(pair, `"\`) {
		quoted = isQuoted(pair)
		r.broken = r.broken || !quoted
	}
	if name, value, named := strings.Cut(pair, "="); slices.Contains(p.own, strings.Trim(name, whitespace)) {
		if !named {
			return false
		}
		pair = value
	} else if p.reads(name) {
		return true
	} else if name, _, _ := strings.Cut(trimJunk(pair), "="); p.reads(name) {
		return true
	}
	return p.listed(pair) || (!quoted || r.broken) && (p.inside(pair) || p.words(pair))
}

// isQuoted reports whether all parsers that know quoted strings see one name, with one such string
// as its value.
func isQuoted(pair string) bool {
	name, value := split(pair)
	return name != "" && strings.IndexFunc(name, func(c rune) bool { return !isToken(c) }) < 0 &&
		len(value) >= 2 && value[0] == '"' && strings.IndexAny(value[1:], `"\`) == len(value)-2 && value[len(value)-1] == '"'
}

func isToken(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// listed looks at the names in a list with commas, quoted or not.
func (p *Patterns) listed(pair string) bool {
	if strings.IndexByte(pair, ',') < 0 {
		return false
	}
	for more := true; more; {
		var part string
		part, pair, more = strings.Cut(pair, ",")
		name, _, _ := strings.Cut(trimJunk(part), "=")
		if p.reads(name) {
			return true
		}
	}
	return false
}

// inside looks at all names before a "=" that could begin within the part. No server decodes them.
func (p *Patterns) inside(pair string) bool {
	from, begins := 0, true // the first place where a name may begin, and whether one may begin there
	for {
		length := strings.IndexByte(pair[from:], '=')
		if length < 0 {
			return false
		}
		end := from + length
		region := strings.TrimRight(pair[from:end], whitespace)
		visible := trimRight(region) // white space of Unicode ends a name too, for some parsers
		for i := range len(region) {
			if len(region)-i < p.shortest {
				break
			}
			if i > 0 && !beginsName(pair, from+i) || i == 0 && !begins {
				continue
			}
			if p.couldBe(region[i:]) || i < len(visible) && p.couldBe(visible[i:]) {
				return true
			}
		}
		// An "=" without a name before it is skipped (WebOb), and a name may follow.
		begins = begins && region == "" || end > 0 && isBoundary(pair[end-1]) && pair[end-1] > ' '
		from = end + 1
	}
}

// words looks at the words without a "=", which are separated by white space.
func (p *Patterns) words(pair string) bool {
	if strings.IndexByte(strings.Trim(pair, whitespace), ' ') < 0 && strings.IndexByte(pair, '\t') < 0 {
		return false
	}
	for word := range strings.FieldsFuncSeq(pair, func(c rune) bool { return c == ' ' || c == '\t' }) {
		if strings.IndexByte(word, '=') < 0 && (p.couldBe(word) || p.couldBe(trimRight(trimLeft(word)))) {
			return true
		}
	}
	return false
}

// beginsName reports whether a parser may begin a name at pair[i].
func beginsName(pair string, i int) bool {
	return isBoundary(pair[i-1]) ||
		i >= 4 && pair[i-4] <= ' ' && pair[i-3:i] == "GMT" // a date has ended
}

// isBoundary reports whether a character ends a value in some parser, so that a name may follow.
func isBoundary(c byte) bool {
	return c <= ' ' || c > '~' || strings.IndexByte(`",[\]`, c) >= 0
}

// trimJunk removes what parsers skip before a name.
func trimJunk(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool { return isInvisible(r) || strings.ContainsRune(`=",()<>@:\[]{}/?`, r) })
}
