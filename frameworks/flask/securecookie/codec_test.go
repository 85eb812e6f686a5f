package securecookie_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const secret = "correct horse battery staple"

// Cookies of Flask 3.1.3, made at 1700000000.
var cookies = []struct {
	name, cookie, data, flash string
	permanent                 bool
}{
	{
		"plain", "eyJuYW1lIjoiWm9cdTAwZWIiLCJ1c2VyX2lkIjo0Mn0.ZVPxAA.YIYQuv4CPMbC6h5AcaJwgLjECCE",
		`{"name":"Zo\u00eb","user_id":42}`, "", false,
	},
	{
		"messages", "eyJfZmxhc2hlcyI6W3siIHQiOlsiaW5mbyIsIlNhdmVkISJdfV0sIl9wZXJtYW5lbnQiOnRydWV9.ZVPxAA.8qDa67ZqtPXOcOqgOX3ZpHEPQmk",
		`{}`, `[["info","Saved!"]]`, true,
	},
	{
		"every tag, compressed",
		".eJyrVkpSsqpWUgCSSo6OrrZKtTpKKWCRlEwwVRIfr2RlWAsULoHwlayiDXWMYoECpWABIKlkaGRsYmpmboGLBplanpGaBzEYqCGkNFVHwdBEwS-_TMHIwMhYwcjIytDYyshAwd03RKm2FgBCOiVp.ZVPxAA.BGPdj2SNBQ6WRwUVYPTJ67nOKVk",
		`{"b":{" b":"AAE="},"d":{" di":{" t__":1}},"t":{" t":[1,2]},"u":{" u":"12345678123456781234567812345678"},"when":{" d":"Tue, 14 Nov 2023 22:13:20 GMT"}}`, "", false,
	},
}

func decode(t *testing.T, payload []byte) (r sessionstore.Record) {
	t.Helper()
	if err := (securecookie.Codec{}).Decode(payload, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCookiesOfFlask(t *testing.T) {
	signer, err := securecookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	sealed := time.Unix(1700000000, 0)
	for _, c := range cookies {
		t.Run(c.name, func(t *testing.T) {
			payload, age, stale, ok := signer.Open(c.cookie, sealed.Add(90*time.Second+time.Millisecond))
			if age != 90*time.Second || stale || !ok {
				t.Fatalf("age %v, stale %t, ok %t", age, stale, ok)
			}
			r := decode(t, payload)
			if string(r.Data) != c.data || string(r.Flash) != c.flash || r.Permanent != c.permanent {
				t.Errorf("data %s, messages %s, permanent %t", r.Data, r.Flash, r.Permanent)
			}
			again, err := securecookie.Codec{}.Encode(&r)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(c.cookie, ".") && signer.Seal(again, sealed) != c.cookie {
				t.Errorf("sealed again: %s", signer.Seal(again, sealed)) // the compressed bytes differ between zlib versions
			}
			if back := decode(t, again); !bytes.Equal(back.Data, r.Data) || !bytes.Equal(back.Flash, r.Flash) || back.Permanent != r.Permanent {
				t.Errorf("after a round trip: %s, %s, %t", back.Data, back.Flash, back.Permanent)
			}
		})
	}
}

func payload(text string) []byte { return base64.RawURLEncoding.AppendEncode(nil, []byte(text)) }

func text(t *testing.T, payload []byte) string {
	t.Helper()
	encoded, compressed := strings.CutPrefix(string(payload), ".")
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if compressed {
		r, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// Data that has no field in the record comes back unchanged.
func TestUnknownDataIsKept(t *testing.T) {
	r := decode(t, payload(`{"_flashes":[{" t":["m",{" m":"<b>hi</b>"}]},["list","x"]],"_permanent":false,"a":1,"n":12345678901234567890123}`))
	if string(r.Data) != `{"a":1,"n":12345678901234567890123}` || string(r.Flash) != `[["m","<b>hi</b>",["m",{" m":"<b>hi</b>"}]],["list","x"]]` || r.Permanent {
		t.Fatalf("data %s, messages %s, permanent %t", r.Data, r.Flash, r.Permanent)
	}
	r.Data = []byte(`{"n":12345678901234567890123,"z":{"b":1,"a":[{"d":1,"c":2}]}}`)
	r.Flash = []byte(`[["m","<b>hi</b>",["m",{" m":"<b>hi</b>"}]],["m","<b>hi</b>"]]`)
	out, err := securecookie.Codec{}.Encode(&r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"_flashes":[{" t":["m",{" m":"<b>hi</b>"}]},{" t":["m","<b>hi</b>"]}],"_permanent":false,"n":12345678901234567890123,"z":{"a":[{"c":2,"d":1}],"b":1}}`
	if got := text(t, out); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Flask sorts all dicts, unless the app has turned sort_keys off: then their order is the app's.
func TestOrderOfDicts(t *testing.T) {
	for was, want := range map[string]string{
		`{"_permanent":false,"cart":[{"z":{"b":1,"a":2}}],"b":1}`: `{"_permanent":false,"cart":[{"z":{"b":1,"a":2}}],"b":1,"a":{"y":1,"x":2}}`,
		`{"_permanent":false,"b":1,"cart":[{"z":{"a":2,"b":1}}]}`: `{"_permanent":false,"a":{"x":2,"y":1},"b":1,"cart":[{"z":{"a":2,"b":1}}]}`,
	} {
		var r sessionstore.Record
		if err := (securecookie.Codec{}).Decode(payload(was), &r); err != nil {
			t.Fatal(err)
		}
		r.Data = append(r.Data[:len(r.Data)-1], `,"a":{"y":1,"x":2}}`...)
		if encoded, err := (securecookie.Codec{}).Encode(&r); err != nil || text(t, encoded) != want {
			t.Errorf("%s becomes %s, %v, not %s", was, text(t, encoded), err, want)
		}
	}
}

func TestTagsThatFlaskCannotRead(t *testing.T) {
	for data, valid := range map[string]bool{
		`{"x":{" t":[1]}}`:         true,
		`{"x":{" t":1}}`:           false,
		`{"x":[{" b":"A"}]}`:       false,
		`{"x":{" b":"AA=="}}`:      true,
		`{"x":{" u":"12"}}`:        false,
		`{"x":{" m":1}}`:           false,
		`{"x":{" d":"?"}}`:         true,
		`{"x":{" di":{" t__":1}}}`: true,
		`{"x":{" di":{" t":1}}}`:   false,
		`{"x":{" x":1}}`:           true,
		`{"_permanent":true}`:      false,
		`{"_flashes":[]}`:          false,
		`{" t":[1]}`:               false, // Flask needs an object
		`{" m":"<b>"}`:             false,
		`{" di":{" t__":[1]}}`:     true,
		`{" t":[1],"a":1}`:         true,

		`{"x":{" d":"Tue, 14 Nov 99999999999999999999 22:13:20 GMT"}}`: false,
		`{"x":` + strings.Repeat("1", 4300) + `}`:                      true,
		`{"x":[` + strings.Repeat("1", 4301) + `]}`:                    false,
		`{"x":0.` + strings.Repeat("1", 4301) + `}`:                    true,
	} {
		r := sessionstore.Record{Data: []byte(data)}
		if _, err := (securecookie.Codec{}).Encode(&r); (err == nil) != valid || err != nil && !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestInvalidPayloads(t *testing.T) {
	longtest.Test(t)
	bomb := func() []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(`{"a":"`))
		for range 50 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
		_ = w.Close()
		return base64.RawURLEncoding.AppendEncode([]byte{'.'}, b.Bytes())
	}()
	for name, value := range map[string][]byte{
		"nothing":                      {},
		"no base64":                    []byte("!"),
		"no JSON":                      payload("what?"),
		"a list":                       payload("[]"),
		"duplicate members":            payload(`{"a":1,"a":2}`),
		"too deep":                     payload(`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`),
		"no zlib":                      append([]byte{'.'}, payload(`{"a":1}`)...),
		"truncated zlib":               []byte(".eJyrVkrKTFeyUqoYJkCpFgBptWC"),
		"a zip bomb":                   bomb,
		"messages that are not a list": payload(`{"_flashes":{}}`),
		"a message of three":           payload(`{"_flashes":[["a","b","c"]]}`),
	} {
		var r sessionstore.Record
		if err := (securecookie.Codec{}).Decode(value, &r); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignerRefuses(t *testing.T) {
	signer, err := securecookie.NewSigner("new", secret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1700000000, 0)
	if _, _, stale, ok := signer.Open(cookies[0].cookie, at); !stale || !ok {
		t.Errorf("a cookie signed with the former secret: stale %t, ok %t", stale, ok)
	}
	if _, age, _, ok := signer.Open(cookies[0].cookie, at.Add(-time.Minute)); !ok || age != 0 {
		t.Errorf("a cookie from a clock that is slightly ahead: age %v, ok %t", age, ok)
	}
	if _, _, _, ok := signer.Open(cookies[0].cookie, at.Add(-time.Minute-time.Second)); ok {
		t.Error("a cookie from the future is accepted")
	}
	other, _ := securecookie.NewSigner("another app's")
	if _, _, _, ok := other.Open(cookies[0].cookie, at); ok {
		t.Error("another app's cookie is accepted")
	}
	if _, err := securecookie.NewSigner("a", ""); err == nil {
		t.Error("an empty secret is accepted")
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range cookies {
		f.Add([]byte(c.cookie[:strings.LastIndexByte(c.cookie[:strings.LastIndexByte(c.cookie, '.')], '.')]))
	}
	f.Add(payload(`{"_flashes":[{" t":["m",{" m":"x"}]}],"_permanent":1,"a":{" di":{" b__":null}}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var r, again sessionstore.Record
		if securecookie.Codec.Decode(securecookie.Codec{}, value, &r) != nil {
			return
		}
		out, err := securecookie.Codec{}.Encode(&r)
		if err != nil {
			return
		}
		if err := (securecookie.Codec{}).Decode(out, &again); err != nil {
			t.Fatalf("cannot decode what was encoded: %v", err)
		}
		if !bytes.Equal(again.Flash, r.Flash) || again.Permanent != r.Permanent || len(again.Data) > 6*len(r.Data) {
			t.Errorf("messages %s and %s, permanent %t and %t", r.Flash, again.Flash, r.Permanent, again.Permanent)
		}
		once, err := securecookie.Codec{}.Encode(&again)
		if err != nil || !bytes.Equal(once, out) {
			t.Errorf("the second encoding differs: %v", err)
		}
	})
}

// BenchmarkCompressedCookie is what a read costs of a session that Flask has compressed.
func BenchmarkCompressedCookie(b *testing.B) {
	codec := securecookie.Codec{}
	payload, err := codec.Encode(&sessionstore.Record{Data: []byte(`{"text":"` + strings.Repeat("x", 2000) + `"}`)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var rec sessionstore.Record
		if err := codec.Decode(payload, &rec); err != nil {
			b.Fatal(err)
		}
	}
}
