package vault

import "testing"

const own = "caddy_session"

func patterns(tb testing.TB, list ...string) Patterns {
	tb.Helper()
	p, err := NewPatterns(list, own)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"sid", "sid", true}, {"sid", "SID", false}, {"sid", "sid2", false}, {"sid", "", false},
		{"s*", "sid", true}, {"s*", "s", true}, {"s*", "xs", false}, {"*s", "sis", true}, {"*s", "sit", false},
		{"a*b*c", "abc", true}, {"a*b*c", "axbxbxc", true}, {"a*b*c", "acb", false}, {"**", "", true},
		{"*", "anything", true}, {"*", "", true}, {"*", own, false}, {"caddy_*", own, false}, {"caddy_*", "caddy_x", true},
		{"data[*", "data[x]", true}, {"a?c", "abc", false}, {"[a]", "a", false}, {"é*", "éa", true},
	} {
		p := patterns(t, tt.pattern)
		if got := p.Match(tt.name); got != tt.want {
			t.Errorf("%s and %q: %v", tt.pattern, tt.name, got)
		}
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	for _, pattern := range []string{"", "a=b", "a;b", "a b", "a,b", "a\x01", own} {
		if _, err := NewPatterns([]string{"x", pattern}, own); err == nil {
			t.Errorf("%q is taken", pattern)
		}
	}
}

// A client must not send what some server takes for a cookie of the vault.
func TestForgedNames(t *testing.T) {
	for _, tt := range []struct{ pattern, pair string }{
		{"sid", "sid=x"}, {"sid", " sid = x"}, {"sid", "\tsid\t=x"}, {"sid", "sid"}, {"sid", "=sid=x"}, {"sid", " = = sid=x"},
		{"sid", "SID=x"}, {"sid", "\u00a0sid\u2003=x"}, {"sid", "\xa0sid\x85=x"}, {"é", "é=x"}, {"sid", "s%69d=x"}, {"sid", "%53ID=x"},
		{"sid", "a=1,sid=x"}, {"sid", "a=1, sid=x"}, {"sid", `"a",sid`}, {"sid", "sid[x]=1"}, {"sid", own + "=1,sid=x"},
		{"my_sid", "my.sid=x"}, {"my_sid", "my sid=x"}, {"my_sid", "my[sid=x"}, {"my_sid", "my%20sid=x"}, {"my_sid", "my%5fsid=x"},
		{"my.sid", "my_sid=x"}, {"my.sid", "my.sid=x"}, {"data[*", "data[x]=1"}, {"s*", "S.x=1"}, {"*", "x"}, {"*", ""},
	} {
		p := patterns(t, tt.pattern)
		if r := p.Reader(false); !r.Forges(tt.pair) {
			t.Errorf("%s: %q is left", tt.pattern, tt.pair)
		}
	}
	for _, tt := range []struct{ pattern, pair string }{
		{"sid", "side=x"}, {"sid", "x=sid"}, {"sid", "x=a,b"}, {"sid", "x=%sid"}, {"sid", "%zzsid=1"}, {"sid", ""}, {"s*", "x=s"},
		{"*", own + "=x"}, {"*", " " + own + " =x"}, {"my_sid", "mysid=x"}, {"sid", "x=[sid]"},
	} {
		p := patterns(t, tt.pattern)
		if r := p.Reader(false); r.Forges(tt.pair) {
			t.Errorf("%s: %q is removed", tt.pattern, tt.pair)
		}
	}
}
