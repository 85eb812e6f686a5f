package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"

	"github.com/caddy-session/caddy-session/internal/wire"
)

func TestTakeCookie(t *testing.T) {
	const name = "caddy_session"
	jar := cookieJar{names: cookieNames{name, "__Host-" + name}}
	passing := cookieJar{names: jar.names, passThrough: true}
	tests := []struct {
		name   string
		lines  []string
		values []string
		kept   []string
	}{
		{"none", []string{"a=1; b=2"}, nil, []string{"a=1; b=2"}},
		{"alone", []string{"caddy_session=x"}, []string{"x"}, nil},
		{"first", []string{"caddy_session=x; a=1"}, []string{"x"}, []string{"a=1"}},
		{"middle", []string{"a=1; caddy_session=x; b=2"}, []string{"x"}, []string{"a=1; b=2"}},
		{"last", []string{"a=1; caddy_session=x"}, []string{"x"}, []string{"a=1"}},
		{"twice", []string{"caddy_session=x; a=1; caddy_session=y"}, []string{"x", "y"}, []string{"a=1"}},
		{"two lines", []string{"caddy_session=x", "a=1; caddy_session=y"}, []string{"x", "y"}, []string{"a=1"}},
		{"neighbours keep every byte", []string{`a="1, 2";b ; ;c=Zoë;caddy_session=x;  d==`}, []string{"x"}, []string{`a="1, 2";b ; ;c=Zoë;  d==`}},
		{"blanks around the name", []string{"a=1;\tcaddy_session =x ;b=2"}, []string{"x"}, []string{"a=1;b=2"}},
		{"another's name begins with ours", []string{"caddy_session_shop=x; xcaddy_session=y"}, nil, []string{"caddy_session_shop=x; xcaddy_session=y"}},
		{"names know upper case", []string{"Caddy_Session=x"}, nil, []string{"Caddy_Session=x"}},
		{"no value", []string{"caddy_session; a=1"}, []string{""}, []string{"a=1"}},
		{"between neighbours", []string{"a=1; caddy_session=x; b=2;c=3; caddy_session=y;caddy_session=z; d=4"}, []string{"x", "y", "z"}, []string{"a=1; b=2;c=3; d=4"}},
		{"on both sides", []string{"caddy_session=x; a=1; ;b=2; caddy_session=y"}, []string{"x", "y"}, []string{"a=1; ;b=2"}},
		{"nothing between", []string{"a=1;caddy_session=x;;b=2"}, []string{"x"}, []string{"a=1;;b=2"}},
		{"trailing separator", []string{"caddy_session=x;"}, []string{"x"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{"Cookie": slices.Clone(test.lines)}
			if got, _ := jar.take(h, name, nil); !slices.Equal(got, test.values) {
				t.Errorf("values %q, want %q", got, test.values)
			}
			if got := h["Cookie"]; !slices.Equal(got, test.kept) {
				t.Errorf("kept %q, want %q", got, test.kept)
			}
			h = http.Header{"Cookie": slices.Clone(test.lines)}
			passing.take(h, name, nil)
			if got := h["Cookie"]; !slices.Equal(got, test.lines) {
				t.Errorf("passed through %q, want %q", got, test.lines)
			}
		})
	}
}

// FuzzTakeCookie holds the edit of the Cookie header to what net/http reads before and after.
func FuzzTakeCookie(f *testing.F) {
	for _, seed := range []string{"a=1; caddy_session=x; b=2", "caddy_session=x;;a=\"b\"", ";caddy_session", "=caddy_session; caddy_session=;"} {
		f.Add(seed)
	}
	jar := cookieJar{names: cookieNames{"caddy_session", "__Host-caddy_session"}}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		before := (&http.Request{Header: h.Clone()}).Cookies()
		jar.take(h, jar.names[0], nil)
		after := (&http.Request{Header: h}).Cookies()
		var neighbours []string
		for _, c := range before {
			if !jar.names.own(c.Name) {
				neighbours = append(neighbours, c.Name+"="+c.Value)
			}
		}
		var kept []string
		for _, c := range after {
			kept = append(kept, c.Name+"="+c.Value)
		}
		if !slices.Equal(neighbours, kept) {
			t.Errorf("%q: kept %q, want %q", line, kept, neighbours)
		}
		for _, rest := range h["Cookie"] {
			for pair := range strings.SplitSeq(rest, ";") {
				if name, _ := wire.ParseCookie(pair); jar.names.own(name) {
					t.Errorf("%q: our cookie is still in %q", line, rest)
				}
			}
		}
	})
}

func TestCookieRules(t *testing.T) {
	tests := []struct{ name, options, want string }{
		{"default", "", ""},
		{"SameSite=None without Secure", "same_site none", "same_site"},
		{"SameSite=None", "same_site none\nsecure on", ""},
		{"partitioned without Secure", "partitioned on", "partitioned"},
		{"__Host- without Secure", "name __Host-s", "__Host-s"},
		{"__Host-", "name __Host-s\nsecure on", ""},
		{"__Host- with a domain", "name __Host-s\nsecure on\ndomain example.com", "__Host-s"},
		{"__Host- with a path", "name __Host-s\nsecure on\npath /app", "__Host-s"},
		{"__host- in lower case", "name __host-s", "__host-s"},
		{"__Secure- without Secure", "name __Secure-s", "__Secure-s"},
		{"__Secure-", "name __Secure-s\nsecure on\npath /app", ""},
		{"__Http-", "name __Http-s\nsecure on\npath /app\ndomain example.com", ""},
		{"__Http- without Secure", "name __Http-s", "__Http-s"},
		{"__Http- for scripts", "name __http-s\nsecure on\nhttp_only off", "http_only on"},
		{"__Host-Http-", "name __Host-Http-s\nsecure on", ""},
		{"__Host-Http- without Secure", "name __Host-Http-s\nsecure auto", "__Host-Http-s"},
		{"__Host-Http- for scripts", "name __HOST-HTTP-s\nsecure on\nhttp_only off", "http_only on"},
		{"__Host-Http- with a domain", "name __Host-Http-s\nsecure on\ndomain example.com", "without a domain"},
		{"__Host-Http- with a path", "name __Host-Http-s\nsecure on\npath /app", "with path /"},
		{"__Host- for scripts", "name __Host-s\nsecure on\nhttp_only off", ""},
		{"a name that no cookie can have", `name "a b"`, "name"},
		{"a path that is none", "path app", "path"},
		{"a path that adds an attribute", `path "/;domain=x"`, "path"},
		{"a domain that is none", `domain "a b"`, "domain"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := provision(t, inMemory(t, "cookie {\n"+test.options+"\n}"))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestTheAttributesOfACookieAreToldApart(t *testing.T) {
	known := map[string]int{}
	no := false
	for i, c := range []Cookie{
		{}, {Name: "sid"}, {Domain: "example.org"}, {Path: "/app"}, {SameSite: "strict"}, {SameSite: "none", Secure: "on"},
		{Secure: "on"}, {Secure: "off"}, {HTTPOnly: &no}, {Secure: "on", Partitioned: true},
	} {
		jar, err := c.jar("", &dialects.Format{})
		if err != nil {
			t.Fatal(err)
		}
		got := jar.attributes()
		if j, found := known[got]; found || got == "" {
			t.Errorf("%d and %d are the same", i, j)
		}
		known[got] = i
	}
	yes := true
	spelled, err := (&Cookie{Path: "/", SameSite: "lax", Secure: "auto", HTTPOnly: &yes, Permanent: &no}).jar("", &dialects.Format{})
	if _, found := known[spelled.attributes()]; err != nil || !found {
		t.Errorf("the defaults, spelled out, are others: %v", err)
	}
}
