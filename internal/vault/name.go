package vault

import (
	"slices"
	"strings"
)

// reads reports whether some server reads a name as one of the vault or as that of the session
// cookie.
func (p *Patterns) reads(name string) bool {
	if len(name) < p.shortest {
		return false // no reading is longer than what is read
	}
	plain := strings.Trim(name, whitespace)
	if p.matchesFolded(plain) {
		return true
	}
	name = trimLeft(name)
	if trimmed := trimRight(name); len(trimmed) < len(plain) && p.matchesFolded(trimmed) {
		return true
	}
	if !p.mangled && !strings.ContainsAny(name, "%+. [") {
		return false
	}
	if p.readsPHP(name) {
		return true
	}
	for _, plus := range []byte{'+', ' '} {
		if plus == ' ' && strings.IndexByte(name, '+') < 0 || plus == '+' && strings.IndexByte(name, '%') < 0 {
			continue
		}
		decoded := trimLeft(decode(name, plus))
		before, _, _ := strings.Cut(decoded, "\x00")
		if p.matchesFolded(trimRight(decoded)) || p.matchesFolded(trimRight(before)) || p.readsPHP(before) {
			return true
		}
	}
	return false
}

// readsPHP is reads for PHP, which registers a name as a variable, or as a list with an index. Some
// versions convert the characters after a "[" without a "]", and others do not. PHP converts blanks
// after the name too.
func (p *Patterns) readsPHP(name string) bool {
	for _, name := range []string{name, trimRight(name)} {
		list, rest, found := strings.Cut(name, "[")
		mangled := phpNames.Replace(list)
		if p.matchesPHP(mangled) || found && (p.matchesPHP(mangled+"_"+rest) || p.matchesPHP(mangled+"_"+phpNames.Replace(rest))) {
			return true
		}
	}
	return false
}

var phpNames = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// couldBe reports whether a text begins and ends like a name of the vault, and is long enough. It
// does not look at the rest.
func (p *Patterns) couldBe(text string) bool {
	for _, pattern := range p.folded {
		before, after, star := strings.Cut(pattern, "*")
		if star {
			after = after[strings.LastIndexByte(after, '*')+1:]
		}
		if star && len(text) < len(before)+len(after) || !star && len(text) != len(pattern) {
			continue
		}
		if hasFolded(text, before) && hasFolded(text[len(text)-len(after):], after) {
			return true
		}
	}
	return slices.Contains(p.own, text)
}

// hasFolded reports whether a text begins with a prefix that is in lower case.
func hasFolded(text, prefix string) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if foldByte(text[i]) != prefix[i] {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func (p *Patterns) matchesFolded(name string) bool {
	if name == "" {
		return p.empty
	}
	return matchAny(p.folded, lower(name)) || slices.Contains(p.own, name)
}

func (p *Patterns) matchesPHP(name string) bool {
	return matchAny(p.php, lower(name)) || slices.Contains(p.ownPHP, name)
}

// decode decodes percent-encoded characters. Those that are not valid stay as they are. A "+"
// becomes plus.
func decode(s string, plus byte) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = plus
		} else if c == '%' && i+2 < len(s) {
			if high, low := unhex(s[i+1]), unhex(s[i+2]); high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// unhex returns the value of a hexadecimal digit, or 16.
func unhex(c byte) byte {
	switch c = foldByte(c); {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	default:
		return 16
	}
}

// trimLeft removes everything but visible ASCII from the beginning.
func trimLeft(name string) string { return strings.TrimLeftFunc(name, isInvisible) }

// trimRight removes everything but visible ASCII from the end.
func trimRight(name string) string { return strings.TrimRightFunc(name, isInvisible) }

func isInvisible(r rune) bool { return r <= ' ' || r > '~' }
