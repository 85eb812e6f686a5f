package serialize_test

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var hashes = regexp.MustCompile(`#[0-9a-f]{12}`)

// What JSON can show is shown, and the rest has a marker.
func TestShown(t *testing.T) {
	for record, want := range map[string]string{
		"":                 `{}`,
		`a|N;b|b:1;c|b:0;`: `{"a":null,"b":true,"c":false}`,
		`a|i:9223372036854775807;b|i:-9223372036854775808;c|i:+5;`:  `{"a":9223372036854775807,"b":-9223372036854775808,"c":5}`,
		`a|d:0.1;b|d:1;c|d:-0;d|d:1.0E+25;e|d:0.10000000000000001;`: `{"a":0.1,"b":1.0,"c":-0.0,"d":1e+25,"e":0.1}`,
		`a|d:INF;b|d:-INF;c|d:NAN;`:                                 `{"a":{" o":"float#*"},"b":{" o":"float#*"},"c":{" o":"float#*"}}`,
		"a|s:5:\"Zo\xc3\xab|\";b|s:1:\"\xff\";":                     `{"a":"Zo\u00eb|","b":{" b":"/w=="}}`,
		`a|a:2:{i:0;i:1;i:1;i:2;}b|a:0:{}`:                          `{"a":[1,2],"b":[]}`,
		`a|a:2:{i:1;i:1;i:0;i:2;}`:                                  `{"a":{"1":1,"0":2}}`,
		`a|a:1:{s:1:"x";i:1;}a|i:2;`:                                `{"a":2}`,
		`a|a:2:{s:1:"x";i:1;s:1:"x";i:2;}`:                          `{"a":{"x":2}}`,
		"a|a:1:{s:1:\"\xff\";i:1;}":                                 `{"a":{" o":"array#*"}}`,
		`a|a:1:{s:2:" b";s:4:"AAE=";}`:                              `{"a":{" o":"array#*"}}`,
		`a|O:4:"Cart":1:{s:1:"x";i:1;}`:                             `{"a":{" o":"Cart#*"}}`,
		`a|E:6:"Suit:H";b|a:1:{i:0;r:1;}`:                           `{"a":{" o":"Suit:H#*"},"b":[{" o":"Suit:H#*"}]}`,
		`a|C:3:"Old":4:{any;}`:                                      `{"a":{" o":"Old#*"}}`,
		`a|i:5;b|R:1;c|i:6;`:                                        `{"a":{" o":"reference#*"},"b":{" o":"reference#*"},"c":6}`,
		"a\xff|i:1;":                                                `{"a\ufffd":1}`,
		"!a|i:1;":                                                   `{"!a":1}`,
	} {
		a, err := serialize.PHP.Decode(record)
		if err != nil {
			t.Errorf("%q: %v", record, err)
			continue
		}
		got, err := a.JSON()
		if text := hashes.ReplaceAllString(string(got), "#*"); err != nil || text != want {
			t.Errorf("%q: %s, %v, want %s", record, text, err, want)
		}
	}
}

// A change of one member leaves the bytes of the others, and what refers to what.
func TestChanges(t *testing.T) {
	const cart = `O:4:"Cart":1:{s:8:"` + "\x00*\x00total" + `";d:1.50;}`
	for name, test := range map[string]struct{ before, patch, after string }{
		"a number":                   {`a|i:1;b|d:0.10000000000000001;`, `{"a":2}`, `a|i:2;b|d:0.10000000000000001;`},
		"new values":                 {``, `{"a":[1,{"5":-0.0,"05":null}],"b":1e25,"c":18446744073709551616,"d":"Zo\u00eb"}`, `a|a:2:{i:0;i:1;i:1;a:2:{i:5;d:-0;s:2:"05";N;}}b|d:1.0E+25;c|d:1.8446744073709552E+19;d|s:4:"Zoë";`},
		"bytes":                      {``, `{"a":{" b":"/wA="}}`, "a|s:2:\"\xff\x00\";"},
		"beside an object":           {`a|i:1;o|` + cart, `{"a":{"b":[1,2]}}`, `a|a:1:{s:1:"b";a:2:{i:0;i:1;i:1;i:2;}}o|` + cart},
		"before a second place":      {`a|i:1;o|` + cart + `p|r:2;`, `{"a":[1,2,3]}`, `a|a:3:{i:0;i:1;i:1;i:2;i:2;i:3;}o|` + cart + `p|r:5;`},
		"the first place is removed": {`o|` + cart + `p|r:1;q|a:1:{i:0;r:1;}`, `{"o":null}`, `p|` + cart + `q|a:1:{i:0;r:1;}`},
		"before a reference":         {`a|a:0:{}b|i:5;c|R:2;`, `{"a":[7]}`, `a|a:1:{i:0;i:7;}b|i:5;c|R:3;`},
		"a reference is replaced":    {`b|i:5;c|R:1;`, `{"b":6}`, `b|i:6;c|i:5;`},
		"a loop":                     {`x|i:0;a|a:2:{i:0;i:1;s:4:"self";R:2;}`, `{"x":[0]}`, `x|a:1:{i:0;i:0;}a|a:2:{i:0;i:1;s:4:"self";R:3;}`},
		"an object is copied":        {`o|` + cart, `[{"op":"copy","from":"/o","path":"/p"}]`, `o|` + cart + `p|r:1;`},
		"an object is moved":         {`o|` + cart + `p|r:1;`, `[{"op":"move","from":"/o","path":"/q"}]`, `p|` + cart + `q|r:1;`},
		"an item is removed":         {`a|a:3:{i:0;i:1;i:1;` + cart + `i:2;i:3;}`, `[{"op":"remove","path":"/a/0"}]`, `a|a:2:{i:0;` + cart + `i:1;i:3;}`},
		"a list becomes a map":       {`a|a:1:{i:0;i:1;}`, `[{"op":"add","path":"/a","value":{"0":1,"x":2}}]`, `a|a:2:{i:0;i:1;s:1:"x";i:2;}`},
		"an old object, untouched":   {`c|C:3:"Old":4:{any;}a|i:1;`, `{"a":2}`, `c|C:3:"Old":4:{any;}a|i:2;`},
	} {
		after, err := change(serialize.PHP, []byte(test.before), []byte(test.patch))
		if err != nil || string(after) != test.after {
			t.Errorf("%s: %q, %v, want %q", name, after, err, test.after)
		}
	}
}

// What PHP would lose is refused.
func TestChangesRefused(t *testing.T) {
	for name, test := range map[string]struct {
		form          serialize.Form
		before, patch string
		says          string
	}{
		"a marker for nothing":            {serialize.PHP, ``, `{"a":{" o":"Cart#0123456789ab"}}`, "a value that is not in the session"},
		"a marker that is no text":        {serialize.PHP, ``, `{"a":{" o":1}}`, `the tag " o" has a wrong value`},
		"bytes that are no base64":        {serialize.PHP, ``, `{"a":{" b":"*"}}`, `the tag " b" has a wrong value`},
		"a number too large":              {serialize.PHP, ``, `{"a":1e999}`, "exceeds the range"},
		"a bar in a name":                 {serialize.PHP, ``, `{"a|b":1}`, "cannot contain |"},
		"a number as a name":              {serialize.PHP, ``, `{"5":1}`, "cannot be a number"},
		"a number as a name, php_binary":  {serialize.Binary, ``, `{"-5":1}`, "cannot be a number"},
		"a long name, php_binary":         {serialize.Binary, ``, `{"` + strings.Repeat("x", 128) + `":1}`, "at most 127 bytes"},
		"an old object beside references": {serialize.PHP, `a|i:1;c|C:3:"Old":4:{any;}o|O:1:"A":0:{}p|r:3;`, `{"a":2}`, "only PHP can change it"},
		"a copy behind an old object":     {serialize.PHP, `c|C:3:"Old":4:{i:1;}o|O:1:"A":1:{s:1:"x";i:1;}`, `[{"op":"copy","from":"/o","path":"/p"}]`, "cannot be written"},
		"an old object that may refer":    {serialize.PHP, `a|i:1;c|C:3:"Old":4:{r:1;}`, `{"a":2}`, "only PHP can change it"},
	} {
		after, err := change(test.form, []byte(test.before), []byte(test.patch))
		if !errors.Is(err, sessionstore.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v, want %s", name, after, err, test.says)
		}
	}
	for name, test := range map[string]struct {
		form  serialize.Form
		patch string
	}{
		"a bar, php_binary": {serialize.Binary, `{"a|b":1}`}, "a number, php_serialize": {serialize.Serialize, `{"5":1}`}, "no number": {serialize.PHP, `{"05":1}`},
		"a name of 127 bytes, php_binary": {serialize.Binary, `{"` + strings.Repeat("x", 127) + `":1}`}, "a long name": {serialize.PHP, `{"` + strings.Repeat("x", 128) + `":1}`},
	} {
		if _, err := change(test.form, nil, []byte(test.patch)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A value that looks like another one, and may differ in what it refers to, is not guessed.
func TestMarkersThatLookTheSame(t *testing.T) {
	const before = `a|O:1:"A":1:{s:1:"x";i:1;}b|O:1:"A":1:{s:1:"x";i:2;}c|O:1:"C":1:{s:2:"of";r:1;}d|O:1:"C":1:{s:2:"of";r:3;}`
	if after, err := change(serialize.PHP, []byte(before), []byte(`{"a2":1}`)); err != nil || string(after) != before+"a2|i:1;" {
		t.Errorf("%q, %v", after, err)
	}
	if after, err := change(serialize.PHP, []byte(before), []byte(`[{"op":"move","from":"/d","path":"/e"}]`)); !errors.Is(err, sessionstore.ErrInvalid) {
		t.Errorf("%q, %v", after, err)
	}
	const list = `a|O:1:"A":1:{s:1:"x";i:1;}b|O:1:"A":1:{s:1:"x";i:2;}l|a:2:{i:0;O:1:"C":1:{s:2:"of";r:1;}i:1;O:1:"C":1:{s:2:"of";r:3;}}`
	if after, err := change(serialize.PHP, []byte(list), []byte(`[{"op":"remove","path":"/l/0"}]`)); !errors.Is(err, sessionstore.ErrInvalid) {
		t.Errorf("%q, %v", after, err)
	}
	const equal = `l|a:2:{i:0;O:1:"C":1:{s:2:"of";i:1;}i:1;O:1:"C":1:{s:2:"of";i:1;}}`
	if after, err := change(serialize.PHP, []byte(equal), []byte(`[{"op":"remove","path":"/l/0"}]`)); err != nil || string(after) != `l|a:1:{i:0;O:1:"C":1:{s:2:"of";i:1;}}` {
		t.Errorf("%q, %v", after, err)
	}
}

// TestAttackHostileRecords checks that damaged and hostile records are errors, and cost little.
func TestAttackHostileRecords(t *testing.T) {
	deep := func(n int) string { return "a|" + strings.Repeat("a:1:{i:0;", n) + "N;" + strings.Repeat("}", n) }
	if _, err := serialize.PHP.Decode(deep(4000)); err != nil {
		t.Errorf("4000 levels: %v", err)
	}
	for name, record := range map[string]string{
		"deep":                     deep(5000),
		"a huge array":             `a|a:999999999:{i:0;N;}`,
		"more than it has":         `a|a:2:{i:0;N;}`,
		"a negative count":         `a|a:-1:{}`,
		"a huge string":            `a|s:999999999:"x";`,
		"a length beyond integers": `a|s:99999999999999999999:"x";`,
		"a negative length":        `a|s:-1:"";`,
		"a signed length":          `a|s:+1:"x";`,
		"a length beyond the end":  `a|s:3:"x";`,
		"no end":                   `a|i:1`,
		"trailing bytes":           `a|i:1;x`,
		"a name without a value":   `a|i:1;b|`,
		"a reference to nothing":   `a|R:1;`,
		"a reference to later":     `a|R:2;b|i:1;`,
		"a reference to itself":    `a|r:1;`,
		"an object that is none":   `a|i:1;b|r:1;`,
		"number zero":              `a|i:1;b|R:0;`,
		"a huge number":            `a|i:1;b|R:99999999999999999999;`,
		"an integer beyond 64":     `a|i:9223372036854775808;`,
		"no boolean":               `a|b:2;`,
		"no float":                 `a|d:0x1p4;`,
		"a boolean as a key":       `a|a:1:{b:1;i:1;}`,
		"an object in an object":   `a|O:1:"A":1:{O:1:"B":0:{}i:1;}`,
		"an unknown kind":          `a|x:1;`,
		"a long payload":           `a|C:3:"Old":99:{any;}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := serialize.PHP.Decode(record)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
	}
}

// TestAttackManyReferences has thousands of references to a large object: it is hashed once.
func TestAttackManyReferences(t *testing.T) {
	record := `o|O:1:"A":1:{s:1:"x";s:100000:"` + strings.Repeat("x", 100000) + `";}` + `a|a:9000:{`
	for i := range 9000 {
		record += fmt.Sprintf("i:%d;r:1;", i)
	}
	record += "}"
	a, err := serialize.PHP.Decode(record)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := a.JSON(); err != nil || strings.Count(string(data), "A#") != 9001 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// An error names the serializer that the record seems to be of.
func TestOtherSerializers(t *testing.T) {
	for record, says := range map[string]string{
		`a:1:{s:1:"a";i:1;}`:               "looks like one of php_serialize",
		"\x01ai:1;":                        "looks like one of php_binary",
		"\x00\x00\x00\x02\x14\x01\x11\x01": "looks like one of igbinary",
		"\x81\xa1a\x01":                    "looks like one of msgpack",
	} {
		if _, err := serialize.PHP.Decode(record); !errors.Is(err, sessionstore.ErrRecord) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", record, err)
		}
	}
	if _, err := serialize.Serialize.Decode(`a|i:1;`); err == nil || !strings.Contains(err.Error(), "looks like one of php:") {
		t.Error(err)
	}
}

// A record is not written beyond its limit.
func TestSizeOfRecords(t *testing.T) {
	a, err := serialize.PHP.Decode(`a|s:5:"xxxxx";`)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := serialize.PHP.Encode(a, 14); err != nil || len(out) != 14 {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := serialize.PHP.Encode(a, 13); !errors.Is(err, sessionstore.ErrTooLarge) {
		t.Error(err)
	}
}
