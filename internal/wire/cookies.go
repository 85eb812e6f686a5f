package wire

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// ParseCookie splits a pair of the Cookie header.
func ParseCookie(pair string) (name, value string) {
	name, value, _ = strings.Cut(pair, "=")
	return textproto.TrimString(name), textproto.TrimString(value)
}

// ParseSetCookie returns the name and value of the cookie in a Set-Cookie line.
func ParseSetCookie(line string) (name, value string) {
	pair, _, _ := strings.Cut(line, ";")
	// Browsers send a cookie without a name, "=a=b", as a=b.
	return ParseCookie(strings.TrimLeft(pair, " \t="))
}

// RemoveCookies removes the cookies for which drop is true from the Cookie header. Other cookies
// stay byte for byte.
func RemoveCookies(h http.Header, drop func(pair string) bool) {
	var room [4]string // saves an allocation if all cookies stay
	kept, changed := room[:0], false
	for _, line := range h["Cookie"] {
		rest, removed := without(line, drop)
		if rest != "" {
			kept = append(kept, rest)
		}
		changed = changed || removed
	}
	switch {
	case !changed:
	case len(kept) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = slices.Clone(kept)
	}
}

// without returns the line without the cookies for which drop is true, "" if no others are left. It
// reports whether there were any. If they are at the ends of the line, the result is a part of the
// line and no copy.
func without(line string, drop func(pair string) bool) (rest string, removed bool) {
	var joined strings.Builder // the kept cookies before line[start:end]
	var start, end int
	gap := false
	for at, more := 0, true; more; {
		var pair string
		pair, _, more = strings.Cut(line[at:], ";")
		at += len(pair)
		switch {
		case drop(pair):
			removed, gap = true, true
		case start == end && joined.Len() == 0:
			if removed {
				pair = strings.TrimLeft(pair, " \t") // it followed a removed cookie
			}
			start, end, gap = at-len(pair), at, false
		case gap:
			joined.Grow(len(line) - joined.Len())
			joined.WriteString(line[start:end])
			joined.WriteByte(';')
			start, end, gap = at-len(pair), at, false
		default:
			end = at
		}
		at += len(";")
	}
	rest = line[start:end]
	if joined.Len() > 0 {
		joined.WriteString(rest)
		rest = joined.String()
	}
	if strings.Trim(rest, " \t;") == "" {
		rest = ""
	}
	return rest, removed
}

// PrependCookies puts pairs before all other cookies, in one line with them, because FastCGI has
// only one Cookie line.
func PrependCookies(h http.Header, pairs string) {
	h["Cookie"] = []string{strings.Join(append([]string{pairs}, h["Cookie"]...), "; ")}
}

// RemovePrepended removes the pairs that [PrependCookies] has added.
func RemovePrepended(h http.Header, pairs string) {
	for i, line := range h["Cookie"] {
		before, after, found := strings.Cut(line, pairs)
		if !found {
			continue
		}
		if kept := before + strings.TrimPrefix(after, "; "); kept != "" {
			h["Cookie"][i] = kept
		} else if h["Cookie"] = slices.Delete(h["Cookie"], i, i+1); len(h["Cookie"]) == 0 {
			delete(h, "Cookie")
		}
		return
	}
}
