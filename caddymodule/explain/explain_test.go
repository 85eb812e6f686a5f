package explain

import "testing"

// Browsers show the header in lower case too, and apps have cookies with dots in their names. What
// is no header is the value of the session cookie.
func TestCookiesAsBrowsersShowThem(t *testing.T) {
	for given, want := range map[string]struct{ header, bare string }{
		"":                                   {},
		"abc.def":                            {bare: "abc.def"},
		" abc.def\n":                         {bare: "abc.def"},
		"caddy_session=abc.def":              {header: "caddy_session=abc.def"},
		"Cookie: caddy_session=abc.def":      {header: "caddy_session=abc.def"},
		"cookie: caddy_session=abc.def\r\n":  {header: "caddy_session=abc.def"},
		"COOKIE:a=b;  caddy_session=abc.def": {header: "a=b; caddy_session=abc.def"},
		"connect.sid=a; caddy_session=b.c":   {header: "connect.sid=a; caddy_session=b.c"},
		"cookie: connect.sid=a":              {header: "connect.sid=a"},
		"a; caddy_session=abc.def":           {header: "a; caddy_session=abc.def"},
	} {
		r, bare, err := (&Ask{URL: "http://localhost/", Cookie: given}).request()
		if err != nil {
			t.Fatal(err)
		}
		if header := r.Header.Get("Cookie"); header != want.header || bare != want.bare {
			t.Errorf("%q: the header %q, the value %q", given, header, bare)
		}
	}
}
