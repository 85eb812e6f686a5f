package vault

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Patterns are the names of the cookies that belong into a vault. In a pattern, "*" stands for any
// characters, also none; everything else stands for itself.
type Patterns struct {
	patterns []string

	// folded are the patterns in lower case, php the same as PHP spells names.
	folded, php []string

	// own are the names of the cookie that leads to the vault, which never belongs into it.
	own []string
}

// NewPatterns checks the patterns. None may be one of own, the names of the cookie that leads to the vault; those
// with a "*" leave it out.
func NewPatterns(patterns []string, own ...string) (Patterns, error) {
	p := Patterns{own: own}
	for _, pattern := range patterns {
		switch {
		case pattern == "":
			return p, errors.New("an empty pattern")
		case strings.ContainsAny(pattern, "=; ,\t\"") || strings.ContainsFunc(pattern, isControl):
			return p, fmt.Errorf("%q is not a cookie's name, with * for any characters", pattern)
		case slices.Contains(own, pattern):
			return p, fmt.Errorf("%s is the session's own cookie", pattern)
		}
		p.patterns = append(p.patterns, pattern)
		p.folded = append(p.folded, lower(pattern))
		p.php = append(p.php, phpNames.Replace(lower(pattern)))
	}
	return p, nil
}

// Empty reports whether there are no patterns.
func (p *Patterns) Empty() bool { return len(p.patterns) == 0 }

// Match reports whether a cookie of this name belongs into the vault.
func (p *Patterns) Match(name string) bool {
	return !slices.Contains(p.own, name) && matchAny(p.patterns, name)
}

// Forges reports whether a server could take a part of a Cookie header, what stands between two
// semicolons, for a cookie of the vault. It is stricter than [Patterns.Match], since servers read
// names in many ways: in any case (ASP.NET), with white space of Unicode around them
// (Python), percent-decoded (Rack and PHP, once), with "." and " " for "_" and a list's index behind
// (PHP), without a "=", or separated by commas (RFC 2965).
func (p *Patterns) Forges(pair string) bool {
	for more := true; more; {
		var part string
		part, pair, more = strings.Cut(pair, ",")
		name, _, named := strings.Cut(strings.TrimLeft(part, "= \t"), "=")
		switch {
		case slices.Contains(p.own, strings.Trim(name, whitespace)):
		case p.forged(name) || !named && matchAny(p.patterns, ""):
			return true
		}
	}
	return false
}

func (p *Patterns) forged(name string) bool {
	if matchAny(p.folded, lower(strings.Trim(name, whitespace))) {
		return true
	}
	name = lower(trimName(name))
	if strings.IndexByte(name, '%') >= 0 {
		if decoded, err := url.PathUnescape(name); err == nil {
			name = lower(trimName(decoded))
		}
	}
	list, _, _ := strings.Cut(name, "[")
	return matchAny(p.folded, name) || matchAny(p.php, phpNames.Replace(name)) || matchAny(p.php, phpNames.Replace(list))
}

var phpNames = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// trimName removes all that is not visible ASCII from the ends.
func trimName(name string) string {
	for name != "" && (name[0] <= ' ' || name[0] > '~') {
		name = name[1:]
	}
	for name != "" && (name[len(name)-1] <= ' ' || name[len(name)-1] > '~') {
		name = name[:len(name)-1]
	}
	return name
}

func matchAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if match(pattern, name) {
			return true
		}
	}
	return false
}

// match goes back to the last "*" only: what one before it could take, that one can take as well.
func match(pattern, name string) bool {
	star, resume := -1, 0
	i, j := 0, 0
	for j < len(name) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, j
			i++
		case i < len(pattern) && pattern[i] == name[j]:
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
