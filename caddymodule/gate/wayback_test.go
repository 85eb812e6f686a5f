package gate

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func target(tb testing.TB, requestTarget string) *http.Request {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + requestTarget + " HTTP/1.1\r\nHost: example.com\r\n\r\n")))
	if err != nil {
		return nil
	}
	return r
}

// An open redirect leads from the login page to another site.
func TestAttackOpenRedirect(t *testing.T) {
	for target_, want := range map[string]string{
		"/":                                     "/",
		"/orders?page=2&q=a+b":                  "/orders?page=2&q=a+b",
		"/%C3%BCber/x%20y%2Fz":                  "/%C3%BCber/x%20y%2Fz",
		"/a//b":                                 "/a//b",
		"/a;b=c,d/...":                          "/a;b=c,d/...",
		"/?next=//evil.example":                 "/?next=//evil.example",
		"/\xc3\xbc":                             "/%C3%BC",
		"http://evil.example/x?y":               "/x?y",
		"http://evil.example":                   "",
		"http://evil.example//evil2.ex":         "",
		"//evil.example":                        "",
		"///evil.example":                       "",
		"//evil.example/%2e%2e":                 "",
		"/\\evil.example":                       "",
		"/%5Cevil.example":                      "",
		"/%5cevil.example":                      "",
		"/%2Fevil.example":                      "",
		"/%2F%2Fevil.example":                   "",
		"/%252Fevil.example":                    "",
		"/%255Cevil.example":                    "",
		"/%09/evil.example":                     "",
		"/%20/evil.example":                     "",
		"/%0D%0ALocation:%20//evil":             "",
		"/a%0D%0ALocation:%20//evil":            "",
		"/a%00":                                 "",
		"/a%7F":                                 "",
		"/a%5C..%5C..":                          "",
		"/a\\b":                                 "",
		"/..//evil.example":                     "",
		"/.//evil.example":                      "",
		"/a/../..//evil.example":                "",
		"/a/%2e%2e//evil.example":               "",
		"/a/%2E/evil.example":                   "",
		"/a/..":                                 "",
		"/" + strings.Repeat("x", maxWayBack-1): "/" + strings.Repeat("x", maxWayBack-1),
		"/" + strings.Repeat("x", maxWayBack):   "",
		"/?" + strings.Repeat("x", maxWayBack):  "",
	} {
		r := target(t, target_)
		if r == nil {
			t.Errorf("%q is no target", target_)
			continue
		}
		if got := wayBack(r.URL); got != want {
			t.Errorf("%q: the way back is %q, want %q", target_, got, want)
		}
	}
}

// asBrowsers removes what browsers remove from URLs, and reads \ as they do.
var asBrowsers = strings.NewReplacer("\t", "", "\r", "", "\n", "", "\\", "/")

// FuzzWayBack checks that a way back stays on its host, also if it is decoded twice.
func FuzzWayBack(f *testing.F) {
	for _, s := range []string{"/", "/a?b", "//evil", "/%2Fevil", "/%5Cevil", "/%09/evil", "/%25%32%46", "/..//evil", "http://evil/x", "http://evil//x", "*", "/\x80", "/a%2e"} {
		f.Add(s)
	}
	g, err := newGate("session_gate user /login")
	if err != nil {
		f.Fatal(err)
	}
	base := &url.URL{Scheme: "https", Host: "example.com", Path: "/login"}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, " \r\n") {
			return
		}
		r := target(t, text)
		if r == nil {
			return
		}
		back := wayBack(r.URL)
		location, err := url.Parse(g.location(back))
		if err != nil || location.Host != "" || location.Path != "/login" || location.Query().Get("next") != back {
			t.Fatalf("%q: sent to %q, %v", text, g.location(back), err)
		}
		if back == "" {
			return
		}
		once, err := url.PathUnescape(back)
		if err != nil {
			once = back // a % of the query
		}
		for _, s := range []string{back, once} {
			path, _, _ := strings.Cut(s, "?")
			path = strings.TrimLeft(asBrowsers.Replace(path), "\x00 ")
			u, err := base.Parse(path)
			if strings.HasPrefix(path, "//") || err == nil && u.Host != base.Host {
				t.Errorf("%q: the way back %q leads elsewhere, as %q", text, back, path)
			}
		}
	})
}
