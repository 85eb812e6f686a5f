package phpsession

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Ids are those of PHP's settings, and nobody else's characters are in them.
func TestIDs(t *testing.T) {
	for bits, characters := range map[int]string{4: characters[:16], 5: characters[:32], 6: characters} {
		c := New(Options{IDLength: 40, IDBits: bits})
		seen := ""
		for range 100 {
			id := c.NewID()
			if len(id) != 40 || !c.ValidID(id) || strings.Trim(id, characters) != "" {
				t.Errorf("%d bits: %q", bits, id)
			}
			seen += id
		}
		for _, r := range characters {
			if !strings.ContainsRune(seen, r) {
				t.Errorf("%d bits: no id has %c", bits, r)
			}
		}
	}
	flat, deep := New(Options{}), New(Options{Levels: 3})
	for id, valid := range map[string][2]bool{
		"": {false, false}, "abc": {true, false}, "abcd": {true, true}, "A-Z,0-9": {true, true}, strings.Repeat("x", maxID): {true, true},
		strings.Repeat("x", maxID+1): {false, false}, "../../etc": {false, false}, "a/bcde": {false, false}, "abc.def": {false, false}, "abc\x00def": {false, false},
		"abcdé": {false, false}, "abc def": {false, false}, "abc_def": {false, false},
	} {
		if got := [2]bool{flat.ValidID(id), deep.ValidID(id)}; got != valid {
			t.Errorf("%q: %v, want %v", id, got, valid)
		}
	}
}

func TestCookies(t *testing.T) {
	for value, id := range map[string]string{"abc-D": "abc-D", "a%2Cb": "a,b", "a,b": "a,b", "a%2": "", "..%2F": "../"} {
		if got, stale, ok := (cookies{}).Verify(value); got != id || stale || ok != (id != "") {
			t.Errorf("%q: %q, %t, %t", value, got, stale, ok)
		}
	}
	if value := (cookies{}).Sign("a,b-C"); value != "a%2Cb-C" {
		t.Error(value)
	}
}

func decode(t *testing.T, c *Codec, value string) *sessionstore.Record {
	t.Helper()
	r := new(sessionstore.Record)
	if err := c.Decode([]byte(value), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Messages are a member of $_SESSION, in PHP's arrays.
func TestMessages(t *testing.T) {
	c := New(Options{Form: serialize.PHP})
	r := decode(t, c, `a|i:1;`)
	r.Flash = []byte(`[["info","Saved!"]]`)
	const one = `caddy_flash|a:1:{i:0;a:2:{i:0;s:4:"info";i:1;s:6:"Saved!";}}`
	value, err := c.Encode(r)
	if err != nil || string(value) != `a|i:1;`+one {
		t.Fatalf("%q, %v", value, err)
	}
	r = decode(t, c, one+`a|i:1;`)
	if string(r.Flash) != `[["info","Saved!"]]` || string(r.Data) != `{"a":1}` {
		t.Errorf("%s, %s", r.Flash, r.Data)
	}
	r.Flash = nil
	if value, err := c.Encode(r); err != nil || string(value) != `a|i:1;` {
		t.Errorf("%q, %v", value, err)
	}
	r = decode(t, c, `caddy_flash|a:0:{}a|i:1;`)
	if r.Flash != nil || string(r.Data) != `{"a":1}` {
		t.Errorf("%s, %s", r.Flash, r.Data)
	}
	r.Data = []byte(`{"caddy_flash":1}`)
	if value, err := c.Encode(r); !errors.Is(err, errReserved) {
		t.Errorf("%q, %v", value, err)
	}

	// Something of the app's own under that name is data.
	for _, own := range []string{`i:1;`, `a:1:{i:0;i:1;}`, `a:1:{i:0;a:1:{i:0;s:1:"x";}}`, `a:1:{i:0;a:2:{i:0;s:1:"x";i:1;i:2;}}`} {
		r = decode(t, c, `caddy_flash|`+own)
		if r.Flash != nil || !strings.HasPrefix(string(r.Data), `{"caddy_flash":`) {
			t.Errorf("%s: %s, %s", own, r.Flash, r.Data)
		}
		if value, err := c.Encode(r); err != nil || string(value) != `caddy_flash|`+own {
			t.Errorf("%s: %q, %v", own, value, err)
		}
		r.Flash = []byte(`[["info","Saved!"]]`)
		if value, err := c.Encode(r); !errors.Is(err, errTaken) {
			t.Errorf("%s: %q, %v", own, value, err)
		}
	}
}

// PHP's records have no place for it.
func TestPermanent(t *testing.T) {
	for _, permanent := range []bool{true, false} {
		c := New(Options{Form: serialize.PHP, Permanent: permanent})
		r := decode(t, c, `a|i:1;`)
		if r.Permanent != permanent {
			t.Errorf("%t", r.Permanent)
		}
		r.Permanent = !permanent
		if _, err := c.Encode(r); !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("%t: %v", permanent, err)
		}
	}
}

func TestSizes(t *testing.T) {
	c := New(Options{Form: serialize.PHP})
	text := strings.Repeat("x", sessionstore.MaxRecord-len(`a|s:262130:"";`))
	whole := `a|s:262130:"` + text + `";`
	if len(whole) != sessionstore.MaxRecord {
		t.Fatal(len(whole))
	}
	if err := c.Decode([]byte(whole+"b"), new(sessionstore.Record)); !errors.Is(err, sessionstore.ErrRecord) || !strings.Contains(err.Error(), "exceeds the limit") {
		t.Error(err)
	}
	if value, err := c.Encode(&sessionstore.Record{Data: []byte(`{"a":"` + text + `"}`)}); err != nil || string(value) != whole {
		t.Errorf("%d bytes, %v", len(value), err)
	}
	if _, err := c.Encode(&sessionstore.Record{Data: []byte(`{"a":"` + text + `x"}`)}); !errors.Is(err, sessionstore.ErrTooLarge) {
		t.Error(err)
	}
}

func provision(t *testing.T, text string) (*Dialect, error) {
	t.Helper()
	p := new(Dialect)
	if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		return p, err
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	return p, p.Provision(ctx)
}

func TestOptions(t *testing.T) {
	p, err := provision(t, "php")
	f := p.Format()
	if err != nil || f.CookieName != "PHPSESSID" || f.Lifetime != 24*time.Minute || f.Permanent || len(f.Codec.(*Codec).NewID()) != 32 {
		t.Errorf("%+v, %v", f, err)
	}
	p, err = provision(t, "php {\nserializer php_serialize\nlifetime 1h\nlevels 2\nowner 33\nsid_length 26\nsid_bits_per_character 5\npermanent on\n}")
	f = p.Format()
	want := Options{Form: serialize.Serialize, Levels: 2, IDLength: 26, IDBits: 5, Permanent: true}
	if err != nil || f.Codec.(*Codec).opts != want || f.Lifetime != time.Hour || !f.Permanent {
		t.Errorf("%+v, %v", f, err)
	}
	for text, says := range map[string]string{
		"php x":                                    "value",
		"php {\nserializer igbinary\n}":            "only PHP's extensions read igbinary and msgpack: set session.serialize_handler = php_serialize",
		"php {\nserializer msgpack\n}":             "only PHP's extensions read igbinary and msgpack",
		"php {\nlifetime 10ms\n}":                  "lifetime must be a duration of a second or more",
		"php {\nlevels -1\n}":                      "levels must be an integer from 0 to 16",
		"php {\nlevels 17\n}":                      "levels must be an integer from 0 to 16",
		"php {\nowner no-such-user-here\n}":        "owner: user: unknown user",
		"php {\nsid_length 21\n}":                  "sid_length must be an integer from 22 to 195",
		"php {\nsid_length 196\n}":                 "sid_length must be an integer from 22 to 195",
		"php {\nsid_bits_per_character 3\n}":       "sid_bits_per_character must be an integer from 4 to 6",
		"php {\nsid_bits_per_character 7\n}":       "sid_bits_per_character must be an integer from 4 to 6",
		"php {\npermanent yes\n}":                  "permanent must be on or off",
		"php {\nsecret x\n}":                       "unrecognized option of dialect php: secret",
		"php {\nserializer php\nserializer php\n}": "twice",
	} {
		if _, err := provision(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
	for _, text := range []string{"php {\nlevels 16\nsid_length 195\nsid_bits_per_character 6\n}", "php {\nsid_length 22\nsid_bits_per_character 4\nlevels 0\n}"} {
		if _, err := provision(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A cookie that leads to no session may be the sign of another folder. One that PHP cannot have set
// is not.
func TestDoubt(t *testing.T) {
	p, err := provision(t, "php")
	if err != nil {
		t.Fatal(err)
	}
	for cookie, doubts := range map[string]bool{strings.Repeat("0a", 16): true, "a%2Cb": true, "../x": false, "%zz": false, "": false} {
		if why := p.Format().Doubt(cookie, true); (why != "") != doubts {
			t.Errorf("%q: %q", cookie, why)
		}
	}
}

func TestInspect(t *testing.T) {
	for input, test := range map[string]struct {
		serializer string
		want       []string
		fine       bool
	}{
		`a|i:1;caddy_flash|a:1:{i:0;a:2:{i:0;s:4:"info";i:1;s:2:"hi";}}`: {"", []string{"serializer: php\n", `data: {"a":1}`, `messages: [["info","hi"]]`}, true},
		`a:1:{s:1:"a";i:1;}`:        {"", []string{"serializer: php_serialize\n", `data: {"a":1}`}, true},
		`a:2:{s:1:"a";i:1;N;N;}`:    {"php_serialize", []string{"problem: the stored record cannot be read: PHP's encoding is damaged"}, false},
		"0123456789abcdef01234567":  {"", []string{"kind: cookie: an id of 24 characters"}, true},
		"\x00\x00\x00\x02\x14\x00x": {"", []string{"igbinary, which is not supported"}, false},
	} {
		var text strings.Builder
		r := (&Dialect{Serializer: test.serializer}).Inspect([]byte(input), nil, time.Now())
		if err := r.Write(&text); err != nil {
			t.Fatal(err)
		}
		if r.Fine() != test.fine || slices.ContainsFunc(test.want, func(s string) bool { return !strings.Contains(text.String(), s) }) {
			t.Errorf("%q: %s, want %q", input, text.String(), test.want)
		}
	}
	if r := new(Dialect).Inspect([]byte("0123456789abcdef01234567"), []string{"x"}, time.Now()); r.Fine() {
		t.Error("a secret is of use")
	}
}
