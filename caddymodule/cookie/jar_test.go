package cookie

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/wire"
)

func TestTakeCookie(t *testing.T) {
	const name = "caddy_session"
	jar := Jar{Names: Names{name, "__Host-" + name}}
	passing := Jar{Names: jar.Names, PassThrough: true}
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
		{"other cookies keep every byte", []string{`a="1, 2";b ; ;c=Zoë;caddy_session=x;  d==`}, []string{"x"}, []string{`a="1, 2";b ; ;c=Zoë;  d==`}},
		{"blanks around the name", []string{"a=1;\tcaddy_session =x ;b=2"}, []string{"x"}, []string{"a=1;b=2"}},
		{"names that contain the session cookie's", []string{"caddy_session_shop=x; xcaddy_session=y"}, nil, []string{"caddy_session_shop=x; xcaddy_session=y"}},
		{"names are case-sensitive", []string{"Caddy_Session=x"}, nil, []string{"Caddy_Session=x"}},
		{"no value", []string{"caddy_session; a=1"}, []string{""}, []string{"a=1"}},
		{"between other cookies", []string{"a=1; caddy_session=x; b=2;c=3; caddy_session=y;caddy_session=z; d=4"}, []string{"x", "y", "z"}, []string{"a=1; b=2;c=3; d=4"}},
		{"on both sides", []string{"caddy_session=x; a=1; ;b=2; caddy_session=y"}, []string{"x", "y"}, []string{"a=1; ;b=2"}},
		{"nothing between", []string{"a=1;caddy_session=x;;b=2"}, []string{"x"}, []string{"a=1;;b=2"}},
		{"trailing separator", []string{"caddy_session=x;"}, []string{"x"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{"Cookie": slices.Clone(test.lines)}
			if got, _ := jar.Take(h, name); !slices.Equal(got, test.values) {
				t.Errorf("values %q, want %q", got, test.values)
			}
			if got := h["Cookie"]; !slices.Equal(got, test.kept) {
				t.Errorf("kept %q, want %q", got, test.kept)
			}
			h = http.Header{"Cookie": slices.Clone(test.lines)}
			passing.Take(h, name)
			if got := h["Cookie"]; !slices.Equal(got, test.lines) {
				t.Errorf("passed through %q, want %q", got, test.lines)
			}
		})
	}
}

// FuzzTakeCookie compares the edited Cookie header with what net/http reads before and after.
func FuzzTakeCookie(f *testing.F) {
	for _, seed := range []string{"a=1; caddy_session=x; b=2", "caddy_session=x;;a=\"b\"", ";caddy_session", "=caddy_session; caddy_session=;"} {
		f.Add(seed)
	}
	jar := Jar{Names: Names{"caddy_session", "__Host-caddy_session"}}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		before := (&http.Request{Header: h.Clone()}).Cookies()
		jar.Take(h, jar.Names[0])
		after := (&http.Request{Header: h}).Cookies()
		var neighbours []string
		for _, c := range before {
			if !jar.Names.Own(c.Name) {
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
				if name, _ := wire.ParseCookie(pair); jar.Names.Own(name) {
					t.Errorf("%q: the session cookie is still in %q", line, rest)
				}
			}
		}
	})
}

func TestEachCookieAttributeChangesTheHash(t *testing.T) {
	known := map[string]int{}
	no := false
	for i, c := range []Options{
		{}, {Name: "sid"}, {Domain: "example.org"}, {Path: "/app"}, {SameSite: "strict"}, {SameSite: "none", Secure: "on"},
		{Secure: "on"}, {Secure: "off"}, {HTTPOnly: &no}, {Secure: "on", Partitioned: true},
	} {
		jar, err := c.Jar("", &dialects.Format{})
		if err != nil {
			t.Fatal(err)
		}
		got := jar.Attributes()
		if j, found := known[got]; found || got == "" {
			t.Errorf("%d and %d are the same", i, j)
		}
		known[got] = i
	}
	yes := true
	spelled, err := (&Options{Path: "/", SameSite: "lax", Secure: "auto", HTTPOnly: &yes, Permanent: &no}).Jar("", &dialects.Format{})
	if _, found := known[spelled.Attributes()]; err != nil || !found {
		t.Errorf("explicit defaults have another hash: %v", err)
	}
}

// TestNoCookieLastsLongerThan400Days has an absolute timeout that does.
func TestNoCookieLastsLongerThan400Days(t *testing.T) {
	const day = 24 * time.Hour
	jar := Jar{Names: Names{"caddy_session"}}
	for days, want := range map[int]string{399: "Max-Age=34473600", 400: "Max-Age=34560000", 1000: "Max-Age=34560000"} {
		if line := jar.Set(false, "x", true, time.Now().Add(time.Duration(days)*day)); !strings.Contains(line+";", want+";") {
			t.Errorf("%d days: %s, want %s", days, line, want)
		}
	}
}

// An absolute timeout may be the longest that can be said.
func TestTheLongestTimeoutMakesNoShortCookie(t *testing.T) {
	jar := Jar{Names: Names{"caddy_session"}}
	if line := jar.Set(false, "x", true, time.Now().Add(math.MaxInt64)); !strings.Contains(line+";", "Max-Age=34560000;") {
		t.Error(line)
	}
}
