package vault

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		want setCookie
	}{
		"a pair":                       {"a=b", setCookie{name: "a", value: "b"}},
		"white space":                  {" \ta\t = \tb c\t ;x", setCookie{name: "a", value: "b c"}},
		"an empty value":               {"a=", setCookie{name: "a"}},
		"more equal signs":             {"a==b=c", setCookie{name: "a", value: "=b=c"}},
		"no name":                      {"=b", setCookie{value: "b"}},
		"no equal sign":                {" b ", setCookie{value: "b"}},
		"no name, with an equal sign":  {"=b=c", setCookie{value: "b=c"}},
		"quotes stay":                  {`a="b; c"`, setCookie{name: "a", value: `"b`}},
		"a comma is no separator":      {"a=b,c=d", setCookie{name: "a", value: "b,c=d"}},
		"nothing is decoded":           {"%61=%3b", setCookie{name: "%61", value: "%3b"}},
		"UTF-8":                        {"é=ž", setCookie{name: "é", value: "ž"}},
		"a tab in the value":           {"a=b\tc", setCookie{name: "a", value: "b\tc"}},
		"4096 bytes":                   {"a=" + strings.Repeat("x", 4095), setCookie{name: "a", value: strings.Repeat("x", 4095)}},
		"attributes":                   {"a=b; SECURE;httponly ; sameSite = STRICT", setCookie{name: "a", value: "b", secure: true, httpOnly: true, sameSite: SameSiteStrict}},
		"values of flags":              {"a=b; Secure=false; HttpOnly=0", setCookie{name: "a", value: "b", secure: true, httpOnly: true}},
		"unknown attributes":           {"a=b; Priority=High; ; =; Securely", setCookie{name: "a", value: "b"}},
		"the last SameSite":            {"a=b; SameSite=None; SameSite=no", setCookie{name: "a", value: "b"}},
		"the last path":                {"a=b; Path=/x; path=/y", setCookie{name: "a", value: "b", path: "/y", hasPath: true}},
		"a path that is none":          {"a=b; Path=/x; path=y", setCookie{name: "a", value: "b", hasPath: true}},
		"a path of 1024 bytes":         {"a=b; Path=/" + strings.Repeat("x", 1023), setCookie{name: "a", value: "b", path: "/" + strings.Repeat("x", 1023), hasPath: true}},
		"a path of 1025 bytes":         {"a=b; Path=/x; Path=/" + strings.Repeat("x", 1024), setCookie{name: "a", value: "b", path: "/x", hasPath: true}},
		"a domain":                     {"a=b; Domain=.Example.ORG", setCookie{name: "a", value: "b", domain: "example.org"}},
		"the last domain":              {"a=b; Domain=example.org; Domain=", setCookie{name: "a", value: "b"}},
		"one dot is taken":             {"a=b; Domain=..example.org", setCookie{name: "a", value: "b", domain: ".example.org"}},
		"letters outside of ASCII":     {"a=b; Domain=EXAMPLÉ.org", setCookie{name: "a", value: "b", domain: "examplÉ.org"}},
		"a maximum age":                {"a=b; Max-Age=60", setCookie{name: "a", value: "b", maxAge: time.Minute, hasMaxAge: true}},
		"zeros before":                 {"a=b; Max-Age=0060", setCookie{name: "a", value: "b", maxAge: time.Minute, hasMaxAge: true}},
		"below zero":                   {"a=b; Max-Age=-60", setCookie{name: "a", value: "b", hasMaxAge: true}},
		"the longest age":              {"a=b; Max-Age=34560000", setCookie{name: "a", value: "b", maxAge: maxAge, hasMaxAge: true}},
		"longer":                       {"a=b; Max-Age=34560001", setCookie{name: "a", value: "b", maxAge: maxAge, hasMaxAge: true}},
		"more digits than fit":         {"a=b; Max-Age=99999999999999999999999999", setCookie{name: "a", value: "b", maxAge: maxAge, hasMaxAge: true}},
		"ages that are none":           {"a=b; Max-Age=1; Max-Age; Max-Age=; Max-Age=-; Max-Age=+2; Max-Age=2s; Max-Age=1.5; Max-Age=--2", setCookie{name: "a", value: "b", maxAge: time.Second, hasMaxAge: true}},
		"a date":                       {"a=b; Expires=Wed, 25 Nov 2026 10:00:00 GMT", setCookie{name: "a", value: "b", expires: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC), hasExpires: true}},
		"a date that is none":          {"a=b; Expires=0; Expires=tomorrow", setCookie{name: "a", value: "b"}},
		"a date with an age beside it": {"a=b; Max-Age=60; Expires=Wed, 25 Nov 2026 10:00:00 GMT", setCookie{name: "a", value: "b", maxAge: time.Minute, hasMaxAge: true, expires: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC), hasExpires: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := parse(tt.line); !ok || got != tt.want {
				t.Errorf("%+v %v\nwant %+v", got, ok, tt.want)
			}
		})
	}
}

func TestIgnoredLines(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":                            "",
		"white space":                        " \t",
		"an equal sign":                      " = ",
		"attributes alone":                   "; Path=/",
		"4097 bytes":                         "a=" + strings.Repeat("x", 4096),
		"a name of 4097 bytes":               strings.Repeat("x", 4097) + "=",
		"a control character":                "a=b\x01",
		"a line feed":                        "a=b\nc",
		"NUL":                                "a=b\x00c",
		"DEL in the name":                    "a\x7f=b",
		"a control character in a attribute": "a=b; Path=/\x1f",
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := parse(line); ok {
				t.Errorf("it is a cookie: %+v", got)
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	at := func(year, month, day, hour, minute, second int) time.Time {
		return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"Wed, 25 Nov 2026 10:20:30 GMT":        at(2026, 11, 25, 10, 20, 30),
		"Wednesday, 25-Nov-26 10:20:30 GMT":    at(2026, 11, 25, 10, 20, 30),
		"Wed Nov 25 10:20:30 2026":             at(2026, 11, 25, 10, 20, 30),
		"10:20:30 2026 november 25":            at(2026, 11, 25, 10, 20, 30),
		"25/NOVember/2026 1:2:3":               at(2026, 11, 25, 1, 2, 3),
		"25th Nov 2026x 10:20:30.5 +0200":      at(2026, 11, 25, 10, 20, 30),
		"1 Jan 70 00:00:00":                    at(1970, 1, 1, 0, 0, 0),
		"1 Jan 69 00:00:00":                    at(2069, 1, 1, 0, 0, 0),
		"1 Jan 1601 00:00:00":                  at(1601, 1, 1, 0, 0, 0),
		"29 Feb 2028 23:59:59":                 at(2028, 2, 29, 23, 59, 59),
		"10:20:30 11:22:33 3 4 5 Jun Jul 2026": at(2026, 6, 11, 10, 20, 30),
		"1 2026 Jan 10:20:30 2027":             at(2026, 1, 1, 10, 20, 30),
	} {
		if got, ok := parseDate(text); !ok || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "0", "-1", "now", "1 Jan 2026", "1 Jan 10:20:30", "Jan 2026 10:20:30", "1 2026 10:20:30",
		"29 Feb 2026 10:20:30", "31 Apr 2026 10:20:30", "0 Jan 2026 10:20:30", "32 Jan 2026 10:20:30",
		"1 Jan 1600 10:20:30", "1 Jan 20266 10:20:30", "1 Jan 2026 24:00:00", "1 Jan 2026 10:60:00", "1 Jan 2026 10:20:60",
		"1 Jan 2026 10:20", "1 Jan 2026 100:20:30", "1 Jan 2026 10:20:300", "123 Jan 2026 10:20:30", "1 Ja 2026 10:20:30",
	} {
		if got, ok := parseDate(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}
