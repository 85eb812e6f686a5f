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

// ParseSetCookie returns the name and the value of the cookie that a Set-Cookie line is about.
func ParseSetCookie(line string) (name, value string) {
	pair, _, _ := strings.Cut(line, ";")
	// A cookie without a name, "=a=b", comes back as a cookie a.
	return ParseCookie(strings.TrimLeft(pair, " \t="))
}

// RemoveCookies removes the cookies that drop names from the Cookie header, of which it is asked one after another. Their
// neighbours stay byte for byte.
func RemoveCookies(h http.Header, drop func(pair string) bool) {
	var room [4]string // so that a request that keeps its cookies needs no memory
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

// without returns the line without the cookies that drop names, or nothing if it held no others, and reports whether there
// were any. Where they stand at the ends of the line, that is a part of it and no copy.
func without(line string, drop func(pair string) bool) (rest string, removed bool) {
	var joined strings.Builder // the neighbours before the run line[start:end]
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
				pair = strings.TrimLeft(pair, " \t") // it followed what is gone
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

// PrependCookies puts pairs before all others, in one line with them, since FastCGI has room for one only.
func PrependCookies(h http.Header, pairs string) {
	h["Cookie"] = []string{strings.Join(append([]string{pairs}, h["Cookie"]...), "; ")}
}

// RemovePrepended removes pairs that [PrependCookies] has put there.
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
