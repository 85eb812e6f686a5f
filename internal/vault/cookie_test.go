package vault

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	now  = time.UnixMilli(1795318769123)
	site = Request{Host: "www.example.org", Path: "/app/page", Secure: true}
)

func TestReceive(t *testing.T) {
	plain := Cookie{Name: "a", Value: "b", Domain: "www.example.org", HostOnly: true, Path: "/app"}
	with := func(edit func(*Cookie)) Cookie { c := plain; edit(&c); return c }
	for name, tt := range map[string]struct {
		line string
		want Cookie
	}{
		"nothing said":       {"a=b", plain},
		"a path":             {"a=b; Path=/x/", with(func(c *Cookie) { c.Path = "/x/" })},
		"a domain above":     {"a=b; Domain=example.org", with(func(c *Cookie) { c.Domain, c.HostOnly = "example.org", false })},
		"the host's domain":  {"a=b; Domain=www.example.org", with(func(c *Cookie) { c.HostOnly = false })},
		"an empty domain":    {"a=b; Domain=", plain},
		"a dot for a domain": {"a=b; Domain=.", plain},
		"secure":             {"a=b; Secure; HttpOnly; SameSite=None", with(func(c *Cookie) { c.Secure, c.HTTPOnly, c.SameSite = true, true, SameSiteNone })},
		"an age":             {"a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", with(func(c *Cookie) { c.Expires = now.Add(time.Minute) })},
		"an age of nothing":  {"a=b; Max-Age=0; Expires=Fri, 01 Jan 2027 00:00:00 GMT", with(func(c *Cookie) { c.Expires = time.UnixMilli(0) })},
		"a date":             {"a=b; Expires=Fri, 01 Jan 2027 00:00:00 GMT", with(func(c *Cookie) { c.Expires = time.Unix(1798761600, 0) })},
		"a date too far off": {"a=b; Expires=Fri, 01 Jan 2100 00:00:00 GMT", with(func(c *Cookie) { c.Expires = now.Add(400 * 24 * time.Hour) })},
		"an age too long":    {"a=b; Max-Age=99999999999999", with(func(c *Cookie) { c.Expires = now.Add(400 * 24 * time.Hour) })},
		"__Secure-":          {"__Secure-a=b; Secure", with(func(c *Cookie) { c.Name, c.Secure = "__Secure-a", true })},
		"__Host-":            {"__HOST-a=b; Secure; Path=/", with(func(c *Cookie) { c.Name, c.Secure, c.Path = "__HOST-a", true, "/" })},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Receive(tt.line, site, now)
			if !ok || got.cookie != tt.want {
				t.Errorf("%+v %v\nwant %+v", got.cookie, ok, tt.want)
			}
		})
	}
}

func TestCookiesThatAreRefused(t *testing.T) {
	insecure := Request{Host: "example.org", Path: "/"}
	frame := Request{Host: "example.org", Path: "/", Secure: true, CrossSite: true, Safe: true}
	for name, tt := range map[string]struct {
		line string
		req  Request
	}{
		"another domain":                      {"a=b; Domain=example.com", site},
		"a domain below":                      {"a=b; Domain=x.www.example.org", site},
		"a part of a label":                   {"a=b; Domain=ample.org", site},
		"a public suffix":                     {"a=b; Domain=org", site},
		"a public suffix of two labels":       {"a=b; Domain=co.uk", Request{Host: "example.co.uk", Path: "/"}},
		"a private suffix":                    {"a=b; Domain=github.io", Request{Host: "x.github.io", Path: "/"}},
		"a suffix that nobody knows":          {"a=b; Domain=internal", Request{Host: "x.internal", Path: "/"}},
		"a part of an address":                {"a=b; Domain=0.0.1", Request{Host: "127.0.0.1", Path: "/"}},
		"a domain outside of ASCII":           {"a=b; Domain=exämple.org", Request{Host: "exämple.org", Path: "/"}},
		"a dot at the end":                    {"a=b; Domain=example.org.", site},
		"Secure from an insecure page":        {"a=b; Secure", insecure},
		"SameSite=None without Secure":        {"a=b; SameSite=None", site},
		"__Secure- without Secure":            {"__Secure-a=b", site},
		"__Host- without Secure":              {"__Host-a=b; Path=/", site},
		"__Host- with a domain":               {"__Host-a=b; Secure; Path=/; Domain=www.example.org", site},
		"__Host- with another path":           {"__Host-a=b; Secure; Path=/app", site},
		"__Host- without a path":              {"__host-a=b; Secure", Request{Host: "example.org", Path: "/", Secure: true}},
		"__Secure- as a value without a name": {"=__sEcure-a=b; Secure", site},
		"__Host- as a value without a name":   {"__Host-a; Secure; Path=/", site},
		"another name in the value":           {"=a=b", site},
		"in a frame of another site":          {"a=b", frame},
		"in such a frame, Lax":                {"a=b; SameSite=Lax; Secure", frame},
		"no host":                             {"a=b", Request{Path: "/"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := Receive(tt.line, tt.req, now); ok {
				t.Errorf("it is kept: %+v", got.cookie)
			}
		})
	}
}

func TestDomainsOfOneHost(t *testing.T) {
	for _, tt := range []struct{ host, domain string }{
		{"localhost", "localhost"}, {"github.io", "github.io"}, {"::1", "[::1]"}, {"::1", "::1"}, {"::1", ""},
	} {
		got, ok := Receive("a=b; Domain="+tt.domain, Request{Host: tt.host, Path: "/"}, now)
		if !ok || !got.cookie.HostOnly || got.cookie.Domain != tt.host {
			t.Errorf("%s for %s: %+v %v", tt.domain, tt.host, got.cookie, ok)
		}
	}
}

func TestDefaultPath(t *testing.T) {
	for path, want := range map[string]string{
		"": "/", "/": "/", "/a": "/", "/a/": "/a", "/a/b": "/a", "/a/b/": "/a/b", "//": "/", "a/b": "/", "*": "/", "/a%2fb/c": "/a%2fb",
	} {
		if got := defaultPath(path); got != want {
			t.Errorf("of %q: %q, want %q", path, got, want)
		}
	}
}

func TestPathMatches(t *testing.T) {
	for _, tt := range []struct {
		path, cookie string
		want         bool
	}{
		{"/", "/", true}, {"/a", "/", true}, {"/a", "/a", true}, {"/a/", "/a", true}, {"/a/b", "/a", true}, {"/a/b", "/a/", true},
		{"/a", "/a/", false}, {"/ab", "/a", false}, {"/", "/a", false}, {"/A", "/a", false}, {"/%61", "/a", false}, {"/a", "/%61", false},
		{"/a//b", "/a", true}, {"/a%2fb", "/a", false},
	} {
		if got := pathMatches(tt.path, tt.cookie); got != tt.want {
			t.Errorf("%s, a cookie for %s: %v", tt.path, tt.cookie, got)
		}
	}
}

func TestLocal(t *testing.T) {
	for _, host := range []string{"localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "::1"} {
		if !Local(host) {
			t.Errorf("%s is not", host)
		}
	}
	for _, host := range []string{"", "localhost.example.org", "notlocalhost", "127.0.0.1.example.org", "10.0.0.1", "::2", "example.org"} {
		if Local(host) {
			t.Errorf("%s is", host)
		}
	}
}

func TestWhichRequestsCarryACookie(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		req  Request
		want bool
	}{
		"the same path":                   {"a=b", site, true},
		"another path":                    {"a=b; Path=/x", site, false},
		"another host":                    {"a=b; Path=/", Request{Host: "example.org", Path: "/", Secure: true}, false},
		"a host below, for the host":      {"a=b; Path=/", Request{Host: "x.www.example.org", Path: "/", Secure: true}, false},
		"a host below, for the domain":    {"a=b; Path=/; Domain=www.example.org", Request{Host: "x.www.example.org", Path: "/", Secure: true}, true},
		"a host beside":                   {"a=b; Path=/; Domain=example.org", Request{Host: "x.example.org", Path: "/", Secure: true}, true},
		"a host that ends alike":          {"a=b; Path=/; Domain=example.org", Request{Host: "xexample.org", Path: "/", Secure: true}, false},
		"an insecure request":             {"a=b", Request{Host: site.Host, Path: site.Path}, true},
		"an insecure request, Secure":     {"a=b; Secure", Request{Host: site.Host, Path: site.Path}, false},
		"from another site":               {"a=b", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true, Safe: true}, false},
		"from another site, None":         {"a=b; Secure; SameSite=None", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true}, true},
		"a link on another site":          {"a=b; SameSite=Lax", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true, TopLevel: true, Safe: true}, true},
		"a link on another site, nothing": {"a=b", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true, TopLevel: true, Safe: true}, true},
		"a link on another site, Strict":  {"a=b; SameSite=Strict", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true, TopLevel: true, Safe: true}, false},
		"a form on another site":          {"a=b; SameSite=Lax", Request{Host: site.Host, Path: site.Path, Secure: true, CrossSite: true, TopLevel: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := jar(t, Vault{}, site, tt.line)
			if got := v.Header(tt.req, now) != ""; got != tt.want {
				t.Errorf("carried: %v", got)
			}
		})
	}
}

// jar applies the lines of a response to req, all of which must be cookies.
func jar(tb testing.TB, v Vault, req Request, lines ...string) Vault {
	tb.Helper()
	before := slices.Clone(v.cookies)
	next, _, err := v.Apply(received(tb, req, lines...), now)
	if err != nil {
		tb.Fatal(err)
	}
	if !slices.Equal(before, v.cookies) {
		tb.Error("the vault before has changed")
	}
	return next
}

func received(tb testing.TB, req Request, lines ...string) (set []Received) {
	tb.Helper()
	for _, line := range lines {
		r, ok := Receive(line, req, now)
		if !ok {
			tb.Fatalf("%s: it is no cookie", strings.SplitN(line, "=", 2)[0])
		}
		set = append(set, r)
	}
	return set
}
