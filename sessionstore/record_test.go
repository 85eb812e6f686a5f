package sessionstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// same reports whether two records say the same.
func same(a, b *sessionstore.Record) bool {
	return a.State == b.State && a.Permanent == b.Permanent && a.Created.Equal(b.Created) && a.Idle == b.Idle &&
		a.OwnIdle == b.OwnIdle && a.Scope == b.Scope && a.Gen == b.Gen && a.Target == b.Target && a.Until.Equal(b.Until) &&
		a.Pred == b.Pred && a.Idx == b.Idx && a.Keep == b.Keep && a.Browser == b.Browser && a.BrowserSeen == b.BrowserSeen && a.CookieMark == b.CookieMark &&
		a.First == b.First && a.Last == b.Last && a.User == b.User && a.UserField == b.UserField && a.Listed.Equal(b.Listed) && bytes.Equal(a.Sessions, b.Sessions) &&
		bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Flash, b.Flash) && bytes.Equal(a.Vault, b.Vault)
}

var created = time.UnixMilli(1795318769123)

// examples are records of all kinds.
var examples = map[string]sessionstore.Record{
	"small":         {Created: created, Idle: time.Hour, Scope: "|", Data: []byte("{}")},
	"no scope":      {Created: created, Data: []byte("{}")},
	"all of it":     {Permanent: true, OwnIdle: true, Created: created, Idle: time.Second, Scope: "name |example.org", Data: []byte(`{"a":1}`), Flash: []byte(`[["a","b"]]`)},
	"ended":         {State: sessionstore.Ended, Created: created, Idle: time.Hour, Scope: "s|h", Data: []byte("{}")},
	"mark":          {State: sessionstore.Mark, Created: created, Scope: "s|h", Gen: 1, Target: sessionstore.Ref("x"), Data: []byte("{}")},
	"marked":        {Created: created, Idle: time.Hour, Scope: "s|h", Gen: 300, Target: sessionstore.Ref("x"), Until: created.Add(time.Minute), Data: []byte(`{"a":1}`)},
	"marked, ended": {State: sessionstore.Ended, Created: created, Idle: time.Hour, Scope: "s|h", Gen: 1, Target: sessionstore.Ref("x"), Data: []byte("{}")},
	"unused":        {Created: created, Idle: time.Hour, Scope: "s|h", Pred: sessionstore.Ref("x"), Idx: 2, Data: []byte(`{"a":1}`)},
	"lasting":       {Created: created, Idle: time.Hour, Keep: 400 * time.Hour, Browser: "token", BrowserSeen: true, Data: []byte("{}"), Vault: []byte("\x01x")},
	"cookie mark":   {Created: created, Idle: time.Hour, CookieMark: "\x00mark", Data: []byte("{}")},
	"a user":        {Created: created, Data: []byte("{}"), UserField: "user.name", User: "zoë", Listed: created.Truncate(time.Second)},
	"clients":       {Created: created, Data: []byte("{}"), First: sessionstore.Client{Address: "::1", UserAgent: "a"}, Last: sessionstore.Client{UserAgent: strings.Repeat("b", 200)}},
	"anonymous":     {Created: created, Data: []byte("{}"), UserField: "user"},
	"index":         {State: sessionstore.Index, Created: created, Data: []byte("{}"), Scope: "s|h", UserField: "user", User: "zoe", Sessions: bytes.Repeat([]byte("s"), 80)},
	"flash alone":   {Created: created, Data: []byte("{}"), Flash: []byte(`[["a","b"]]`)},
	"vault alone":   {Created: created, Data: []byte("{}"), Vault: []byte("\x01x")},
	"before 1970":   {Created: time.UnixMilli(-1), Data: []byte("{}")},
	"in the future": {Created: time.UnixMilli(1 << 50), Idle: time.Duration(math.MaxInt64).Truncate(time.Millisecond), Data: []byte("{}")},
	"128 bytes":     {Created: created, Data: []byte(sized(128)), Scope: strings.Repeat("s", 127)},
	"large":         {Created: created, Data: []byte(sized(sessionstore.MaxRecord - 1000))},
}

func TestRecordsComeBack(t *testing.T) {
	for name, rec := range examples {
		value, err := sessionstore.Native{}.Encode(&rec)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := sessionstore.Record{State: sessionstore.Mark, Gen: 7, Target: "left over", Until: created, Pred: "left over", Idx: 7, Flash: []byte("left over"), CookieMark: "left over", Permanent: true}
		if err := (sessionstore.Native{}).Decode(value, &got); err != nil || !same(&got, &rec) {
			t.Errorf("%s: %v\n%+v\n%+v", name, err, rec, got)
		}
	}
}

// TestNoTwoRecordsAreTheSame in their first bytes, which is all that some stores compare.
func TestNoTwoRecordsAreTheSame(t *testing.T) {
	rec := examples["small"]
	known := map[string]bool{}
	for range 1000 {
		value, err := sessionstore.Native{}.Encode(&rec)
		if err != nil {
			t.Fatal(err)
		}
		if value[0] != sessionstore.FormatNative || known[string(value[:sessionstore.VersionLen])] {
			t.Fatal("the same version twice")
		}
		known[string(value[:sessionstore.VersionLen])] = true
	}
}

// TestTheFormatStays: these bytes are in stores out there.
func TestTheFormatStays(t *testing.T) {
	value := sealed("\xc10123456789abcdef" + "\x0c" + "\xc6\x97\xb3\x95\xc0\x68" + "\xd0\x0f" +
		"s\x01|" + "d\x07{\"a\":1}" + "f\x0b[[\"a\",\"b\"]]")
	var rec sessionstore.Record
	if err := (sessionstore.Native{}).Decode(value, &rec); err != nil {
		t.Fatal(err)
	}
	want := sessionstore.Record{
		Permanent: true, OwnIdle: true, Created: created, Idle: 2 * time.Second,
		Scope: "|", Data: []byte(`{"a":1}`), Flash: []byte(`[["a","b"]]`),
	}
	if !same(&rec, &want) {
		t.Errorf("%+v", rec)
	}
	again, err := sessionstore.Native{}.Encode(&want)
	if err != nil || !bytes.Equal(again[sessionstore.VersionLen:len(again)-4], value[sessionstore.VersionLen:len(value)-4]) {
		t.Errorf("%q, %v", again, err)
	}
}

func TestARecordHasALimit(t *testing.T) {
	rec := sessionstore.Record{Created: created, Idle: time.Hour, Scope: "|", Data: []byte("{}")}
	value, err := sessionstore.Native{}.Encode(&rec)
	if err != nil {
		t.Fatal(err)
	}
	// A length of six figures takes two bytes more than one of one.
	rec.Data = []byte(sized(len(rec.Data) + sessionstore.MaxRecord - len(value) - 2))
	if value, err = (sessionstore.Native{}).Encode(&rec); err != nil || len(value) != sessionstore.MaxRecord {
		t.Errorf("%d bytes, %v", len(value), err)
	}
	rec.Data = []byte(sized(len(rec.Data) + 1))
	if _, err = (sessionstore.Native{}).Encode(&rec); !errors.Is(err, sessionstore.ErrTooLarge) {
		t.Errorf("one more: %v", err)
	}
}

// sealed is a value with its checksum.
func sealed(body string) []byte {
	return binary.BigEndian.AppendUint32([]byte(body), crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
}

// unreadable are values that must not be taken for records. Each is what some damage, some other
// program or some later version may have left.
func unreadable(t testing.TB) map[string][]byte {
	t.Helper()
	rec := examples["all of it"]
	value, err := sessionstore.Native{}.Encode(&rec)
	if err != nil {
		t.Fatal(err)
	}
	const head, times = "\xc10123456789abcdef", "\x02\x02"
	list := map[string][]byte{
		"nothing":                    {},
		"one byte":                   {sessionstore.FormatNative},
		"a head alone":               []byte(head),
		"zeros":                      make([]byte, 100),
		"pickle":                     []byte("\x80\x05\x95\x0f\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."),
		"JSON":                       []byte(`{"a":1}`),
		"MessagePack":                []byte("\x81\xa1a\x01"),
		"another first byte":         append([]byte{0xc2}, value[1:]...),
		"another one, sealed":        sealed("\xc2" + head[1:] + "\x00" + times + "d\x02{}"),
		"a byte more":                append(bytes.Clone(value), 0),
		"twice":                      append(bytes.Clone(value), value...),
		"an unknown flag":            sealed(head + "\x40" + times + "d\x02{}"),
		"all flags":                  sealed(head + "\xff" + times + "d\x02{}"),
		"an unknown state":           sealed(head + "\x03" + times + "d\x02{}"),
		"an unknown section":         sealed(head + "\x00" + times + "d\x02{}x\x01y"),
		"an unknown one, empty":      sealed(head + "\x00" + times + "d\x02{}x\x00"),
		"no data":                    sealed(head + "\x00" + times),
		"empty data":                 sealed(head + "\x00" + times + "d\x00"),
		"an alias of nothing":        sealed(head + "\x02" + times + "d\x02{}"),
		"an alias of the empty key":  sealed(head + "\x02" + times + "t\x00d\x02{}"),
		"a target of no alias":       sealed(head + "\x00" + times + "t\x01xd\x02{}"),
		"a section cut short":        sealed(head + "\x00" + times + "d\x03{}"),
		"a section without length":   sealed(head + "\x00" + times + "d\x02{}f"),
		"a huge section":             sealed(head + "\x00" + times + "d\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01{}"),
		"a length without an end":    sealed(head + "\x00" + times + "d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01{}"),
		"a keep without a number":    sealed(head + "\x00" + times + "d\x02{}k\x01\x80"),
		"a keep with more behind":    sealed(head + "\x00" + times + "d\x02{}k\x02\x01\x01"),
		"a user without a field":     sealed(head + "\x00" + times + "d\x02{}w\x03\x00\x00u"),
		"a user cut short":           sealed(head + "\x00" + times + "d\x02{}w\x03\x04\x00u"),
		"a user without a time":      sealed(head + "\x00" + times + "d\x02{}w\x02\x01u"),
		"a user that is anonymous":   sealed(head + "\x20" + times + "d\x02{}w\x04\x01u\x00u"),
		"anonymous, not by its head": sealed(head + "\x00" + times + "d\x02{}w\x03\x01u\x00"),
		"clients cut short":          sealed(head + "\x00" + times + "d\x02{}c\x03\x00\x00\x00"),
		"clients and more":           sealed(head + "\x00" + times + "d\x02{}c\x05\x00\x00\x00\x00x"),
		"an index of nobody":         sealed(head + "\x03" + times + "d\x02{}"),
		"an index with half a ref":   sealed(head + "\x03" + times + "d\x02{}w\x04\x01u\x00ul\x01x"),
		"no times":                   sealed(head + "\x00"),
		"half the times":             sealed(head + "\x00\x02"),
		"a time without an end":      sealed(head + "\x00" + strings.Repeat("\xff", 11) + "\x02d\x02{}"),
		"an idle time of ages":       sealed(head + "\x00\x02" + strings.Repeat("\xff", 9) + "\x01d\x02{}"),
		"no flags":                   sealed(head),
		"a checksum of nothing":      sealed(""),
	}
	return list
}

func TestUnreadableRecords(t *testing.T) {
	for name, value := range unreadable(t) {
		var rec sessionstore.Record
		if err := (sessionstore.Native{}).Decode(value, &rec); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("%s: %v, %+v", name, err, rec)
		}
	}
}

// TestEveryDamageIsNoticed flips every bit and cuts at every byte.
func TestEveryDamageIsNoticed(t *testing.T) {
	for name, rec := range examples {
		if name == "large" {
			continue
		}
		value, err := sessionstore.Native{}.Encode(&rec)
		if err != nil {
			t.Fatal(err)
		}
		var got sessionstore.Record
		for i := range len(value) * 8 {
			damaged := bytes.Clone(value)
			damaged[i/8] ^= 1 << (i % 8)
			if err := (sessionstore.Native{}).Decode(damaged, &got); !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%s, bit %d: %v", name, i, err)
			}
		}
		for i := range value {
			if err := (sessionstore.Native{}).Decode(value[:i], &got); !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%s, cut at %d: %v", name, i, err)
			}
			if err := (sessionstore.Native{}).Decode(value[i:], &got); i > 0 && !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%s, begun at %d: %v", name, i, err)
			}
		}
	}
}

// FuzzDecodeRecord: reading never panics, and what can be read can be written.
func FuzzDecodeRecord(f *testing.F) {
	for _, rec := range examples {
		value, err := sessionstore.Native{}.Encode(&rec)
		if err != nil {
			f.Fatal(err)
		}
		if len(value) < 1000 {
			f.Add(value[:len(value)-4])
			f.Add(value)
		}
	}
	for _, value := range unreadable(f) {
		f.Add(value)
		f.Add(value[:max(0, len(value)-4)])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		// No fuzzer finds a checksum, so that each input is tried as it is and sealed.
		for _, value := range [][]byte{body, sealed(string(body))} {
			before := bytes.Clone(value)
			var rec, again sessionstore.Record
			err := sessionstore.Native{}.Decode(value, &rec)
			if !bytes.Equal(before, value) {
				t.Fatal("the stored value was changed")
			}
			if err != nil {
				if !errors.Is(err, sessionstore.ErrRecord) {
					t.Fatal(err)
				}
				continue
			}
			encoded, err := sessionstore.Native{}.Encode(&rec)
			if errors.Is(err, sessionstore.ErrTooLarge) && len(value) > sessionstore.MaxRecord {
				continue
			}
			if err != nil {
				t.Fatalf("encoding %+v: %v", rec, err)
			}
			if err := (sessionstore.Native{}).Decode(encoded, &again); err != nil || !same(&rec, &again) {
				t.Fatalf("%v\n%+v\n%+v", err, rec, again)
			}
			if bytes.Equal(encoded, value) {
				t.Fatal("it has the same version")
			}
		}
	})
}
