package vault

import (
	"math"
	"runtime"
	"strings"
	"testing"
)

// kept returns what a client may send of the pairs in a header, those that are left joined by
// semicolons.
func kept(p *Patterns, header string, broken bool) string {
	r := p.Reader(broken)
	var left []string
	for pair := range strings.SplitSeq(header, ";") {
		if !r.Forges(pair) {
			left = append(left, pair)
		}
	}
	return strings.Join(left, ";")
}

// What some server takes for a cookie of the vault, by the parser that does so.
func TestAttackVaultedNamesAsServersReadThem(t *testing.T) {
	for _, tt := range []struct{ parser, pattern, pair string }{
		{"http.cookies, aiohttp: a blank ends a value", "PHPSESSID", "a=b PHPSESSID=evil"},
		{"http.cookies: a tab does", "PHPSESSID", "a=b\tPHPSESSID=evil"},
		{"http.cookies: blanks before =", "sid", "a=b sid \t= evil"},
		{"http.cookies: commas belong to names", "a*b", "x ay,b=evil"},
		{"WebOb, Undertow: a quoted string has ended", "PHPSESSID", `a="b"PHPSESSID=evil`},
		{"Undertow: a name holds anything", "app_*_id", `a="b"app_ x]_id=evil`},
		{"WebOb: what it does not know ends a name", "PHPSESSID", "a[PHPSESSID=evil"},
		{"WebOb: a value, too", "sid", "a=b]sid=evil"},
		{"WebOb: a backslash", "sid", `\sid=evil`},
		{"WebOb: bytes beyond ASCII", "sid", "a=\xe9sid=evil"},
		{"WebOb: a date has ended", "sid", "a=Thu, 01-Jan-1970 00:00:00 GMTsid=evil"},
		{"WebOb: = without a name", "sid", `a="b"=sid=evil`},
		{"WebOb: = as a name", "sid", `é="sid=evil"`},
		{"WebOb: a quoted string without a name", "sid", `"sid=evil"`},
		{"PHP 7.4.10: decoded to a NUL", "PHPSESSID", "%50HPSESSID%00x=evil"},
		{"PHP 7.4.10: + is a blank, and that _", "adminer_sid", "adminer+sid=evil"},
		{"PHP 7.4.10: blanks before a name, decoded", "sid", "+%20+sid=evil"},
		{"PHP 7.4.10: what is not well encoded stays", "sid*", "s%69d%zz=evil"},
		{"PHP: a blank behind a name", "app_", "app =evil"},
		{"PHP: a list without an end", "app_x_", "app.x[=evil"},
		{"PHP 8: only the first of such names is mangled", "a_b.c", "a[b.c=evil"},
		{"PHP, Express, Go: a name holds commas", "a*c", "ab,c=evil"},
		{"Rack: decoded", "app_id", "app%5Fid=evil"},
		{"Rack: a NUL stays", "a*z", "a%00z=evil"},
		{"Rack 1: commas in quotes", "sid", `a="b,sid=evil"`},
		{"Tomcat's legacy parser: separators before a name", "sid", "a=1,([{sid=evil"},
		{"Tomcat's legacy parser: a name alone", "sid", "a=1,sid"},
		{"in any case, inside", "PHPSESSID", "a=b phpsessid=evil"},
		{"our own name, inside", "x", "a=b " + own + "=evil"},
		{"aiohttp: words without a value", "sid", "a=b sid"},
		{"aiohttp: at the beginning", "sid", "sid b=c"},
		{"our own name, encoded", "x", "caddy%5fsession=evil"},
		{"our own name as PHP reads it", "x", "caddy.session=evil"},
		{"behind our own", "sid", own + "=x sid=evil"},
	} {
		p := patterns(t, tt.pattern)
		if got := kept(&p, "z=1;"+tt.pair+"; b=2", false); got != "z=1; b=2" {
			t.Errorf("%s: %s: of %q, %q is left", tt.parser, tt.pattern, tt.pair, got)
		}
	}
}

// What none of them does, stays byte for byte.
func TestNeighboursOfVaultedNames(t *testing.T) {
	p := patterns(t, "sid", "app_*")
	for _, header := range []string{
		`b="sid=x"`, `a="x y sid=1"; b="sid=x"`, "a=sid=x", "a=b sidx", "a=b sidx=1", "a=b xsid=1", "q=what side is", "a=(sid=1)", "prefs={\"sid\":1}",
		"a=%20sid=1", "a=b+sid=1", "sid2=1; xapp_=2", "a=GMTsid=1", " a = 1 ;;b", "é=1", "a=1,b", own + "=x", " " + own + " = x", strings.ToUpper(own) + "=x",
	} {
		if got := kept(&p, header, false); got != header {
			t.Errorf("of %q, %q is left", header, got)
		}
	}
}

// After a quotation mark where it does not belong, parsers disagree about what is quoted.
func TestAttackBrokenQuotes(t *testing.T) {
	p := patterns(t, "sid")
	const inner = ` b="sid=x"`
	for _, before := range []string{`a="`, `a=b"`, `"`, `a"=b`, `a="b\"`, `a=\`, `a="b"c`, `="b"`, `[="b"`} {
		if got := kept(&p, before+";"+inner, false); got != before {
			t.Errorf("of %s;%s, %s is left", before, inner, got)
		}
	}
	for _, before := range []string{`a="b"`, `a = "b c" `, `a="b=[c]"`, "a=b"} {
		if header := before + ";" + inner; kept(&p, header, false) != header {
			t.Errorf("%s is not left", header)
		}
	}
	if got := kept(&p, "a=1;"+inner, true); got != "a=1" {
		t.Errorf("behind a cookie with a broken quotation mark, %s is left", got)
	}
}

// The work for a header grows with its length, whatever is in it: so does the memory that it takes.
func TestAttackCookiesThatAreLongToRead(t *testing.T) {
	p := patterns(t, "PHPSESSID", "adminer_*", "*_session", "a*b*c*d", "wordpress_logged_in_*")
	for _, text := range []string{",", " ,", "a ", "a=", "%41,", "A.[", "A+", `"`, `\"`, "a\xe9", "ab cd", "GMT ", "=", "a,b=", "Pp "} {
		short, long := allocated(&p, text, 2<<10), allocated(&p, text, 16<<10)
		if long > 10*short+4<<10 {
			t.Errorf("%q: %d bytes for a header of 2 KiB, %d for one of 16 KiB", text, short, long)
		}
	}
}

// allocated returns how many bytes of memory the reading of a header takes: the least of some
// measurements, as other goroutines allocate too.
func allocated(p *Patterns, text string, size int) uint64 {
	header, least := strings.Repeat(text, size/len(text)), uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := p.Reader(false)
		r.Forges(header)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func BenchmarkForgesLong(b *testing.B) {
	p := patterns(b, "PHPSESSID", "adminer_*", "*_session", "a*b*c*d", "wordpress_logged_in_*")
	for _, text := range []string{",", "a ", "A.[", "%41,", `a"b=`, " ab=", "aa"} {
		b.Run(text, func(b *testing.B) {
			header := strings.Repeat(text, 19<<10/len(text))
			for b.Loop() {
				r := p.Reader(false)
				r.Forges(header)
			}
		})
	}
}
