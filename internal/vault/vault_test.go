package vault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestApply(t *testing.T) {
	for name, tt := range map[string]struct {
		before, lines []string
		want          string
	}{
		"a first one":                     {nil, []string{"a=1"}, "a=1"},
		"another":                         {[]string{"a=1"}, []string{"b=2"}, "a=1; b=2"},
		"another value":                   {[]string{"a=1", "b=2"}, []string{"a=3"}, "a=3; b=2"},
		"the same value":                  {[]string{"a=1"}, []string{"a=1; Max-Age=60"}, "a=1"},
		"twice in a response":             {nil, []string{"a=1", "a=2"}, "a=2"},
		"changed and changed back":        {[]string{"a=1"}, []string{"a=2", "a=1"}, "a=1"},
		"deleted by an age":               {[]string{"a=1", "b=2"}, []string{"a=x; Max-Age=0"}, "b=2"},
		"deleted by a date":               {[]string{"a=1", "b=2"}, []string{"a=deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT"}, "b=2"},
		"deleted, with another path":      {[]string{"a=1"}, []string{"a=; Max-Age=0; Path=/"}, "a=1"},
		"deleted, with a domain":          {[]string{"a=1"}, []string{"a=; Max-Age=0; Domain=www.example.org"}, "a=1"},
		"deleted and set":                 {[]string{"a=1", "b=2"}, []string{"a=; Max-Age=0", "a=3"}, "b=2; a=3"},
		"set and deleted":                 {[]string{"b=2"}, []string{"a=1", "a=; Max-Age=0"}, "b=2"},
		"what is not there is deleted":    {nil, []string{"a=; Max-Age=0"}, ""},
		"longer paths first":              {nil, []string{"a=1; Path=/", "a=2; Path=/app/page", "a=3; Path=/app"}, "a=2; a=3; a=1"},
		"one name, two paths, one change": {[]string{"a=1; Path=/", "a=2; Path=/app"}, []string{"a=3; Path=/"}, "a=2; a=3"},
		"one name, host and domain":       {[]string{"a=1", "a=2; Domain=example.org"}, []string{"a=3; Domain=example.org"}, "a=1; a=3"},
		"a host and its own domain":       {[]string{"a=1"}, []string{"a=2; Domain=www.example.org"}, "a=1; a=2"},
		"names are told apart by case":    {[]string{"a=1"}, []string{"A=2"}, "a=1; A=2"},
		"no name":                         {nil, []string{"=1", "b=2", "=3"}, "3; b=2"},
		"no value":                        {nil, []string{"a="}, "a="},
		"a secure one by a secure page":   {[]string{"a=1; Secure"}, []string{"a=2"}, "a=2"},
	} {
		t.Run(name, func(t *testing.T) {
			v := jar(t, jar(t, Vault{}, site, tt.before...), site, tt.lines...)
			if got := v.Header(site, now); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			again, err := Decode(v.Encode())
			if err != nil || again.Header(site, now) != tt.want {
				t.Errorf("when read again: %q, %v", again.Header(site, now), err)
			}
		})
	}
}

// Whoever has planted the session's id knows what is under it. What another response brings must
// not get there.
func TestCookiesThatCallForANewID(t *testing.T) {
	for name, tt := range map[string]struct {
		before, lines []string
		want          NewID // how little must be asked for
	}{
		"a first one":                     {nil, []string{"a=1"}, NewIDIfAdded},
		"another":                         {[]string{"a=1"}, []string{"b=2"}, NewIDIfAdded},
		"another value":                   {[]string{"a=1", "b=2"}, []string{"a=3"}, NewIDIfChanged},
		"the same value":                  {[]string{"a=1"}, []string{"a=1; Max-Age=60"}, never},
		"changed and changed back":        {[]string{"a=1"}, []string{"a=2", "a=1"}, never},
		"deleted":                         {[]string{"a=1"}, []string{"a=x; Max-Age=0"}, never},
		"set and deleted":                 {nil, []string{"a=1", "a=; Max-Age=0"}, never},
		"deleted and set":                 {[]string{"a=1"}, []string{"a=; Max-Age=0", "a=3"}, NewIDIfChanged},
		"deleted and set as it was":       {[]string{"a=1"}, []string{"a=; Max-Age=0", "a=1"}, never},
		"after a deletion":                {[]string{"a=1", "a=; Max-Age=0"}, []string{"a=1"}, NewIDIfAdded},
		"after its end":                   {[]string{"a=1; Max-Age=-1"}, []string{"a=1"}, NewIDIfAdded},
		"on another path":                 {[]string{"a=1; Path=/"}, []string{"a=1; Path=/app"}, NewIDIfAdded},
		"for a domain":                    {[]string{"a=1"}, []string{"a=1; Domain=example.org"}, NewIDIfAdded},
		"for the host's own domain":       {[]string{"a=1"}, []string{"a=1; Domain=www.example.org"}, NewIDIfAdded},
		"on one of two paths":             {[]string{"a=1; Path=/", "a=2; Path=/app"}, []string{"a=3; Path=/"}, NewIDIfChanged},
		"in another case":                 {[]string{"a=1"}, []string{"A=1"}, NewIDIfAdded},
		"one that is not kept, secretly":  {[]string{"a=1; Path=/"}, []string{"a=1", "a=1; Path=/"}, NewIDIfAdded},
		"one of several":                  {[]string{"a=1", "b=2"}, []string{"a=1", "b=2", "c=3"}, NewIDIfAdded},
		"no name":                         {nil, []string{"=1"}, NewIDIfAdded},
		"two at once, one of them before": {[]string{"a=1"}, []string{"a=2", "b=2"}, NewIDIfAdded},
	} {
		t.Run(name, func(t *testing.T) {
			before := Vault{}
			for _, line := range tt.before {
				before = jar(t, before, site, line)
			}
			for _, asked := range []NewID{NewIDNever, NewIDIfAdded, NewIDIfChanged} {
				set := received(t, site, tt.lines...)
				for i := range set {
					set[i].NewID = asked
				}
				if _, got, err := before.Apply(set, now); err != nil || got != (asked >= tt.want) {
					t.Errorf("asked for %d, it calls for a new id: %v, %v", asked, got, err)
				}
			}
		})
	}
	// What an insecure page cannot overlay, it has not set.
	before := jar(t, Vault{}, site, "a=1; Secure")
	set := received(t, Request{Host: site.Host, Path: site.Path}, "a=2")
	set[0].NewID = NewIDIfChanged
	if next, got, err := before.Apply(set, now); err != nil || got || next.Header(site, now) != "a=1" {
		t.Errorf("a cookie that is ignored calls for a new id: %v, %v", got, err)
	}
}

// never is more than can be asked for.
const never = NewIDIfChanged + 1

// Section 5.7, step 16: whoever sits between the browser and an insecure page must not replace what
// a secure one has set.
func TestSecureCookiesAreLeftAlone(t *testing.T) {
	v := jar(t, Vault{}, Request{Host: "www.example.org", Path: "/login", Secure: true}, "a=1; Secure; Path=/login; Domain=example.org")
	for line, kept := range map[string]bool{
		"a=2; Path=/login":                               true,
		"a=2; Path=/login/x":                             true,
		"a=2; Path=/login; Domain=example.org":           true,
		"a=; Path=/login; Domain=example.org; Max-Age=0": true,
		"a=2; Path=/":                                    false,
		"a=2; Path=/loginx":                              false,
		"b=2; Path=/login":                               false,
		"a=2; Path=/elsewhere":                           false,
	} {
		insecure := Request{Host: "www.example.org", Path: "/login"}
		next := jar(t, v, insecure, line)
		if got := len(next.Cookies()) == 1; got != kept {
			t.Errorf("%s is ignored: %v", line, got)
		}
		if next.Cookies()[0] != v.Cookies()[0] {
			t.Errorf("%s changed it: %+v", line, next.Cookies()[0])
		}
	}
}

func TestExpiry(t *testing.T) {
	v := jar(t, Vault{}, site, "s=0", "a=1; Max-Age=60", "b=2; Expires=Fri, 01 Jan 2027 00:00:00 GMT")
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(time.Minute - time.Millisecond), "s=0; a=1; b=2"},
		{now.Add(time.Minute), "s=0; b=2"},
		{newYear.Add(-time.Millisecond), "s=0; b=2"},
		{newYear, "s=0"},
		{newYear.Add(10000 * time.Hour), "s=0"},
	} {
		if got := v.Header(site, tt.at); got != tt.want {
			t.Errorf("at %v: %q, want %q", tt.at, got, tt.want)
		}
		next, newID, err := v.Apply(nil, tt.at)
		if err != nil || newID || next.Header(site, now) != tt.want {
			t.Errorf("at %v, cleaned up: %q, %v, %v", tt.at, next.Header(site, now), newID, err)
		}
	}
}

func TestLimits(t *testing.T) {
	few := func(n, size int, attributes string) (lines []string) {
		for i := range n {
			name := fmt.Sprintf("c%03d", i)
			path := fmt.Sprintf("; Path=/%03d", i)
			lines = append(lines, name+"="+strings.Repeat("x", size-len(name))+path+attributes)
		}
		return lines
	}
	for name, tt := range map[string]struct {
		lines []string
		fits  bool
	}{
		"100":                           {few(100, 5, ""), true},
		"101":                           {few(101, 5, ""), false},
		"10000":                         {few(10000, 5, ""), false},
		"101 and one deleted after all": {append(few(101, 5, ""), "c000=; Max-Age=0; Path=/000"), false},
		"64 KiB":                        {few(15, 4096, ""), true},
		"more than 64 KiB":              {few(16, 4096, ""), false},
		"16 KiB for one request":        {few(4, 4090, "; Path=/"), true},
		"more for one request":          {few(4, 4091, "; Path=/"), false},
		"more, on two hosts":            {append(few(2, 4094, "; Path=/; Domain=example.org"), few(2, 4094, "; Path=/app")...), false},
		"more, on paths one in another": {[]string{few(1, 4094, "; Path=/")[0], few(1, 4094, "; Path=/app")[0], few(1, 4094, "; Path=/app/x")[0], few(1, 4094, "; Path=/app/x/y")[0]}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := jar(t, Vault{}, site, "c000=old; Path=/000")
			next, _, err := before.Apply(received(t, site, tt.lines...), now)
			if tt.fits != (err == nil) || err != nil && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("the error %v", err)
			}
			if err != nil {
				if next.Cookies()[0].Value != "old" {
					t.Error("something has changed")
				}
				return
			}
			if _, err := Decode(next.Encode()); err != nil {
				t.Errorf("it cannot be read again: %v", err)
			}
			for _, c := range next.Cookies() {
				if got := next.Header(Request{Host: site.Host, Path: c.Path, Secure: true}, now); len(got) > MaxHeader {
					t.Errorf("%d bytes for %s", len(got), c.Path)
				}
			}
		})
	}
}

func TestSizeIsThatOfTheStoredForm(t *testing.T) {
	v := Vault{}
	for i := range 20 {
		v = jar(t, v, site, fmt.Sprintf("c%d=%s; Max-Age=%d; Path=/%d", i, strings.Repeat("x", i*100), i, i))
		if got := len(v.Encode()); len(v.cookies) > 0 && got != v.size() {
			t.Errorf("%d bytes, not %d", got, v.size())
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := jar(t, Vault{}, site, "a=1; Max-Age=60", "b=2").Encode()
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
	one := jar(t, Vault{}, site, "a=1").Encode()
	for name, b := range map[string][]byte{
		"no cookie":           {version},
		"another version":     append([]byte{version + 1}, good[1:]...),
		"a cookie twice":      append(slices.Clip(one), one[1:]...),
		"an unknown flag":     append([]byte{version, 0x80}, one[2:]...),
		"something behind":    append(slices.Clip(good), 0),
		"a longer number":     {version, flagHostOnly, 1, 'a', 0x81, 0, '1', 1, 'h', 1, '/'},
		"no name, no value":   {version, flagHostOnly, 0, 0, 1, 'h', 1, '/'},
		"no domain":           {version, flagHostOnly, 1, 'a', 0, 0, 1, '/'},
		"no path":             {version, flagHostOnly, 1, 'a', 0, 1, 'h', 0},
		"a path that is none": {version, flagHostOnly, 1, 'a', 0, 1, 'h', 1, 'x'},
		"expired for ever":    {version, flagHostOnly | flagExpires, 1, 'a', 0, 1, 'h', 1, '/', 0},
	} {
		if v, err := Decode(b); !errors.Is(err, ErrVault) {
			t.Errorf("%s: %+v, %v", name, v.cookies, err)
		}
	}
	for n := 1; n < len(good); n++ {
		if v, err := Decode(good[:n]); err == nil && len(v.cookies) != 1 {
			t.Errorf("the first %d bytes: %+v", n, v.cookies)
		}
	}
}
