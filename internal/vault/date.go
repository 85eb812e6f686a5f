package vault

import (
	"strings"
	"time"
)

// parseDate is the algorithm of section 5.1.1. It finds a time, a day, a month and a year, in any
// order and with any punctuation.
func parseDate(text string) (time.Time, bool) {
	var hour, minute, second, day, month, year int
	var hasTime, hasDay, hasMonth, hasYear bool
	for token := range strings.FieldsFuncSeq(text, isDelimiter) {
		if !hasTime {
			if hour, minute, second, hasTime = clock(token); hasTime {
				continue
			}
		}
		if !hasDay {
			if day, hasDay = leadingNumber(token, 1, 2); hasDay {
				continue
			}
		}
		if !hasMonth {
			if month, hasMonth = monthOf(token); hasMonth {
				continue
			}
		}
		if !hasYear {
			year, hasYear = leadingNumber(token, 2, 4)
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year <= 69:
		year += 2000
	}
	if !hasTime || !hasDay || !hasMonth || !hasYear || year < 1601 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return at, at.Day() == day // not every month has every day
}

func isDelimiter(r rune) bool {
	return r == '\t' || ' ' <= r && r <= '/' || ';' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
}

// leadingNumber reads a number of so many digits, after which no further digit may come.
func leadingNumber(token string, shortest, longest int) (n int, ok bool) {
	digits := len(token) - len(strings.TrimLeft(token, "0123456789"))
	if digits < shortest || digits > longest {
		return 0, false
	}
	for i := range digits {
		n = 10*n + int(token[i]-'0')
	}
	return n, true
}

func clock(token string) (hour, minute, second int, ok bool) {
	h, rest, ok1 := strings.Cut(token, ":")
	m, s, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 || strings.Trim(h+m, "0123456789") != "" {
		return 0, 0, 0, false
	}
	hour, ok1 = leadingNumber(h, 1, 2)
	minute, ok2 = leadingNumber(m, 1, 2)
	second, ok = leadingNumber(s, 1, 2)
	return hour, minute, second, ok && ok1 && ok2
}

func monthOf(token string) (month int, ok bool) {
	const months = "jan feb mar apr may jun jul aug sep oct nov dec "
	if len(token) < len("jan") {
		return 0, false
	}
	i := strings.Index(months, lower(token[:3])+" ")
	return i/4 + 1, i >= 0
}
