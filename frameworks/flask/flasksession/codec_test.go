package flasksession_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/flask/flasksession"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// One session, as each version and serialization of Flask-Session writes it.
var written = map[string]string{
	"msgpack":           "\x82\xaa_permanent\xc3\xa3uid\xa6bmakan",
	"json":              `{"_permanent":true,"uid":"bmakan"}`,
	"pickle protocol 4": "\x80\x04\x95\x22\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\n_permanent\x94\x88\x8c\x03uid\x94\x8c\x06bmakan\x94u.",
	"pickle protocol 3": "\x80\x03}q\x00(X\n\x00\x00\x00_permanentq\x01\x88X\x03\x00\x00\x00uidq\x02X\x06\x00\x00\x00bmakanq\x03u.",
	"pickle protocol 2": "\x80\x02}q\x00(X\n\x00\x00\x00_permanentq\x01\x88X\x03\x00\x00\x00uidq\x02X\x06\x00\x00\x00bmakanq\x03u.",
	"pickle protocol 0": "(dp0\nV_permanent\np1\nI01\nsVuid\np2\nVbmakan\np3\ns.",
}

// prefixes are how each serialization begins when it is written back.
var prefixes = map[string]string{
	"msgpack": "\x83\xaa_permanent\xc3\xa3uid", "json": `{"_permanent":true,"uid":"bmakan","n":1}`, "pickle protocol 4": "\x80\x04}(\x8c",
	"pickle protocol 3": "\x80\x03}(X", "pickle protocol 2": "\x80\x02}(X", "pickle protocol 0": "(dV_permanent\nI01\nsVuid\n",
}

func newCodec(s flasksession.Serialization) *flasksession.Codec {
	return flasksession.New(flasksession.Options{KeyPrefix: "session:", Serialization: s})
}

func decode(t *testing.T, c *flasksession.Codec, value string) sessionstore.Record {
	t.Helper()
	var rec sessionstore.Record
	if err := c.Decode([]byte(value), &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

func encode(t *testing.T, c *flasksession.Codec, rec *sessionstore.Record) string {
	t.Helper()
	value, err := c.Encode(rec)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func TestSerializationIsKept(t *testing.T) {
	for name, value := range written {
		t.Run(name, func(t *testing.T) {
			c := newCodec(flasksession.JSON) // the serialization of new records, not of these
			rec := decode(t, c, value)
			if !rec.Permanent || string(rec.Data) != `{"uid":"bmakan"}` || rec.Flash != nil {
				t.Fatalf("%t %s %s", rec.Permanent, rec.Data, rec.Flash)
			}
			rec.Data = []byte(`{"uid":"bmakan","n":1}`)
			again := encode(t, c, &rec)
			if !strings.HasPrefix(again, prefixes[name]) {
				t.Errorf("record begins with %.20q", again)
			}
			rec = decode(t, c, again)
			if !rec.Permanent || string(rec.Data) != `{"uid":"bmakan","n":1}` {
				t.Errorf("%t %s", rec.Permanent, rec.Data)
			}
		})
	}
}

func TestNewRecords(t *testing.T) {
	fresh := func() *sessionstore.Record {
		return &sessionstore.Record{Permanent: true, Data: []byte(`{"uid":"bmakan"}`)}
	}
	for s, want := range map[flasksession.Serialization]string{
		flasksession.MessagePack: written["msgpack"],
		flasksession.JSON:        written["json"],
		flasksession.Pickle:      "\x80\x04}(\x8c\n_permanent\x88\x8c\x03uid\x8c\x06bmakanu.",
		flasksession.Auto:        "\x80\x04}(\x8c\n_permanent\x88\x8c\x03uid\x8c\x06bmakanu.",
	} {
		if got := encode(t, newCodec(s), fresh()); got != want {
			t.Errorf("%s: %q", s, got)
		}
	}
	c := newCodec(flasksession.Auto)
	for _, name := range []string{"msgpack", "json"} {
		decode(t, c, written[name])
		if got := encode(t, c, fresh()); got != written[name] {
			t.Errorf("after %s: %q", name, got)
		}
	}
}

func TestPermanence(t *testing.T) {
	c := newCodec(flasksession.JSON)
	for _, test := range []struct{ before, now, after string }{
		{`{"_permanent":false,"a":1}`, "no", `{"_permanent":false,"a":1}`},
		{`{"_permanent":null,"a":1}`, "no", `{"_permanent":null,"a":1}`},
		{`{"a":1}`, "no", `{"a":1}`},
		{`{"a":1}`, "yes", `{"_permanent":true,"a":1}`},
		{`{"a":1,"_permanent":"yes"}`, "yes", `{"a":1,"_permanent":"yes"}`},
		{`{"a":1,"_permanent":true,"b":2}`, "no", `{"a":1,"_permanent":false,"b":2}`},
	} {
		rec := decode(t, c, test.before)
		rec.Permanent = test.now == "yes"
		if got := encode(t, c, &rec); got != test.after {
			t.Errorf("%s became %s, want %s", test.before, got, test.after)
		}
	}
}

// In Python 2, names are bytes.
func TestSessionsOfPython2KeepTheirPermanence(t *testing.T) {
	const value = "(dS'_permanent'\nI01\nsS'_flashes'\n(l(S'info'\nS'hi'\ntasS'uid'\nS'bmakan'\ns."
	c := newCodec(flasksession.Auto)
	rec := decode(t, c, value)
	if !rec.Permanent || string(rec.Data) != `{"uid":"bmakan"}` || string(rec.Flash) != `[["info","hi"]]` {
		t.Fatalf("%t %s %s", rec.Permanent, rec.Data, rec.Flash)
	}
	if got := encode(t, c, &rec); got != value {
		t.Errorf("after a round trip: %q", got)
	}
}

func TestMessages(t *testing.T) {
	// [("info", "hello"), ("info", Markup("<b>")), ["x", "list"]], pickled by Python 3.11.
	const value = "\x80\x04}(\x8c\x08_flashes](\x8c\x04info\x8c\x05hello\x86\x8c\x04info\x8c\x0amarkupsafe\x8c\x06Markup\x93\x8c\x03<b>\x85\x81\x86](\x8c\x01x\x8c\x04listeeu."
	c := newCodec(flasksession.Auto)
	rec := decode(t, c, value)
	if got := string(rec.Flash); got != `[["info","hello"],["info","<b>",["info",{" m":"<b>"}]],["x","list"]]` {
		t.Fatal(got)
	}
	if got := encode(t, c, &rec); got != value {
		t.Errorf("after a round trip: %q", got)
	}
	rec.Flash = []byte(`[["info","<b>",["info",{" m":"<b>"}]],["error","new"]]`)
	if got := encode(t, c, &rec); got != "\x80\x04}(\x8c\x08_flashes](\x8c\x04info\x8c\x0amarkupsafe\x8c\x06Markup\x93\x8c\x03<b>\x85\x81\x86\x8c\x05error\x8c\x03new\x86eu." {
		t.Errorf("record is %q", got)
	}
	rec.Flash = nil
	if got := encode(t, c, &rec); got != "\x80\x04}." {
		t.Errorf("record without messages is %q", got)
	}
}

func TestAttackUnreadableRecords(t *testing.T) {
	c := newCodec(flasksession.Auto)
	for name, value := range map[string]string{
		"nothing":                        "",
		"random bytes":                   "\x8f\x12\x9a\x00\xff\x17",
		"text":                           "hello",
		"a native record":                "\xc1aaaaaaaaaaaaaaaaaaaaaaaaa",
		"a small MessagePack":            "\x05",
		"truncated pickle":               written["pickle protocol 4"][:40],
		"truncated MessagePack":          written["msgpack"][:20],
		"truncated JSON":                 written["json"][:20],
		"a pickle with trailing bytes":   written["pickle protocol 4"] + "x",
		"a call":                         "\x80\x04}\x8c\x01a\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85Rs.",
		"50 MB":                          "\x80\x04" + strings.Repeat("]", 50<<20),
		"two JSON values":                `{"a":1}{"a":2}`,
		"messages that are not messages": `{"_flashes":"x"}`,
		"a message without a category":   `{"_flashes":[["x"]]}`,
		"a MessagePack of 4 GiB":         "\xdf\xff\xff\xff\xff",
		"deep JSON":                      `{"a":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`,
		"a list of lists of 2^60":        "\x80\x02}U\x01a]" + strings.Repeat("q\x00]h\x00ah\x00a", 60) + "s.",
	} {
		t.Run(name, func(t *testing.T) {
			rec := sessionstore.Record{Data: []byte("untouched")}
			if err := c.Decode([]byte(value), &rec); !errors.Is(err, sessionstore.ErrRecord) || string(rec.Data) != "untouched" {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDataThatCannotBeWritten(t *testing.T) {
	for name, test := range map[string]struct {
		before, data string
		want         error
	}{
		"permanence as data":            {`{}`, `{"_permanent":true}`, sessionstore.ErrInvalid},
		"messages as data":              {`{}`, `{"_flashes":[]}`, sessionstore.ErrInvalid},
		"an unknown marker":             {`{}`, `{"a":{" o":"app.Own#0123456789ab"}}`, sessionstore.ErrInvalid},
		"Markup, which msgspec refuses": {written["msgpack"], `{"a":{" m":"<b>"}}`, sessionstore.ErrInvalid},
		"a record over the limit":       {`{}`, `{"a":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`, sessionstore.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCodec(flasksession.Auto)
			rec := decode(t, c, test.before)
			rec.Data = []byte(test.data)
			if _, err := c.Encode(&rec); !errors.Is(err, test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	c := newCodec(flasksession.Auto)
	for id, valid := range map[string]bool{
		"fe8977c2-34a9-4945-acc0-6c6821944b9f":        true,
		"u6gJxu0Fq2qk1yKX2o5n0oO3m8b9vJkQyVt4e1sZQ7A": true,
		strings.Repeat("a", 128):                      true,
		strings.Repeat("a", 129):                      false,
		"":                                            false,
		"../../etc":                                   false,
		"a\nb":                                        false,
		"a b":                                         false,
		"é":                                           false,
	} {
		if c.ValidID(id) != valid {
			t.Errorf("%q: %t", id, !valid)
		}
	}
	if id := c.NewID(); !c.ValidID(id) || c.Key(id, "ref") != "session:"+id {
		t.Error("a new id is not valid")
	}
}

func FuzzDecode(f *testing.F) {
	for _, value := range written {
		f.Add([]byte(value))
	}
	f.Add([]byte(`{"_flashes":[["a","b"],["c",{"d":1}]],"x":{" t":1.50}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		c := newCodec(flasksession.Auto)
		var rec, back sessionstore.Record
		if err := c.Decode(value, &rec); err != nil {
			if !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := c.Encode(&rec)
		if err != nil {
			return
		}
		if err := c.Decode(again, &back); err != nil {
			t.Fatalf("cannot decode what was encoded: %v", err)
		}
		if string(back.Data) != string(rec.Data) || string(back.Flash) != string(rec.Flash) || back.Permanent != rec.Permanent {
			t.Errorf("%s %s became %s %s", rec.Data, rec.Flash, back.Data, back.Flash)
		}
	})
}
