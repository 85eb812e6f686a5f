package vault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Patterns are the names of the cookies that belong into a vault. In a pattern, "*" stands for any
// characters, or none.
type Patterns struct {
	patterns []string

	// own are the names of the session cookie, which never belongs into the vault.
	own []string

	// folded are the patterns in lower case. php are the patterns, and ownPHP the own names, in the
	// form into which PHP converts names.
	folded, php, ownPHP []string

	// shortest is the length of the shortest name of the vault or of the session cookie.
	shortest int

	// empty says that a cookie without a name belongs into the vault. mangled says that PHP
	// converts some of the names.
	empty, mangled bool
}

// NewPatterns checks the patterns. None may be in own, the names of the session cookie. Patterns
// with a "*" do not match those.
func NewPatterns(patterns []string, own ...string) (Patterns, error) {
	p := Patterns{own: own}
	for _, pattern := range patterns {
		switch {
		case pattern == "":
			return p, errors.New("an empty pattern")
		case strings.ContainsAny(pattern, "=; ,\t\"") || strings.ContainsFunc(pattern, isControl):
			return p, fmt.Errorf("%q is not a cookie name, in which * stands for any characters", pattern)
		case slices.Contains(own, pattern):
			return p, fmt.Errorf("%s is the session cookie", pattern)
		}
		p.patterns = append(p.patterns, pattern)
	}
	for i, name := range slices.Concat(patterns, own) {
		if length := len(name) - strings.Count(name, "*"); i == 0 || length < p.shortest {
			p.shortest = length
		}
		if i < len(patterns) {
			p.folded = append(p.folded, lower(name))
			p.php = append(p.php, phpNames.Replace(lower(name)))
		} else {
			p.ownPHP = append(p.ownPHP, phpNames.Replace(name))
		}
	}
	p.empty, p.mangled = matchAny(patterns, ""), !slices.Equal(p.folded, p.php) || !slices.Equal(p.own, p.ownPHP)
	return p, nil
}

// Empty reports whether there are no patterns.
func (p *Patterns) Empty() bool { return len(p.patterns) == 0 }

// Match reports whether a cookie of this name belongs into the vault.
func (p *Patterns) Match(name string) bool {
	return !slices.Contains(p.own, name) && matchAny(p.patterns, name)
}

func matchAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if match(pattern, name) {
			return true
		}
	}
	return false
}

// match only goes back to the last "*", which can match everything that one before it can match.
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
