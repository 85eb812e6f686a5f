package vault

import (
	"slices"
	"strings"
	"testing"
)

func FuzzReceive(f *testing.F) {
	for _, line := range []string{
		"a=b; Path=/; Domain=example.org; Max-Age=60; Secure; HttpOnly; SameSite=Lax", "=x", "__Host-a=b; Secure; Path=/",
		"a=b; Expires=Wed, 25 Nov 2026 10:20:30 GMT", "a=b; Expires=25/nov/26 1:2:3; Domain=.co.uk", "a=\"b;c\"; path=x;;",
	} {
		f.Add(line, "www.example.org", "/app/page", true)
	}
	f.Fuzz(func(t *testing.T, line, host, path string, secure bool) {
		req := Request{Host: host, Path: path, Secure: secure}
		r, ok := Receive(line, req, now)
		if !ok {
			return
		}
		c := r.cookie
		switch {
		case len(c.Name)+len(c.Value) > maxPair || c.Name+c.Value == "":
			t.Errorf("a name of %d bytes and a value of %d", len(c.Name), len(c.Value))
		case strings.ContainsAny(c.Name, "=;") || strings.Contains(c.Value, ";") || strings.ContainsFunc(c.Name+c.Value, isControl):
			t.Errorf("%q=%q would break a header", c.Name, c.Value)
		case c.Domain == "" || !domainMatches(host, c.Domain):
			t.Errorf("a cookie for %q from %q", c.Domain, host)
		case c.Path[0] != '/' || c.Secure && !secure || c.Expires.After(now.Add(maxAge)):
			t.Errorf("%+v", c)
		}
		v, _, err := Vault{}.Apply([]Received{r}, now)
		if err != nil {
			return
		}
		again, err := Decode(v.Encode())
		if err != nil || !slices.Equal(again.cookies, v.cookies) {
			t.Errorf("%+v is read as %+v, %v", v.cookies, again.cookies, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(jar(f, Vault{}, site, "a=1", "b=2; Max-Age=60; Secure; Domain=example.org", "=x; SameSite=Strict; HttpOnly").Encode())
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			return
		}
		if again := v.Encode(); string(again) != string(b) {
			t.Errorf("%q is stored as %q", b, again)
		}
		v.Header(site, now)
		if _, _, err := v.Apply(nil, now); err != nil && v.longest() <= MaxHeader {
			t.Errorf("it is there and does not fit: %v", err)
		}
	})
}

// Whatever a pattern matches by its plain rule, a client must not send.
func FuzzForges(f *testing.F) {
	f.Add("s*", "sid", "x")
	f.Fuzz(func(t *testing.T, pattern, name, value string) {
		p, err := NewPatterns([]string{pattern}, own)
		if err != nil || strings.ContainsAny(name, "=,") || strings.Trim(name, whitespace) != name {
			return
		}
		if r := p.Reader(false); p.Match(name) && !r.Forges(name+"="+value) {
			t.Errorf("%q matches %q, and may be sent", pattern, name)
		}
	})
}
