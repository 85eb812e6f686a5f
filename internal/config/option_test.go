package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// thing has an option of each kind.
type thing struct {
	Name    string
	Prefix  *string
	Words   []string
	Pairs   map[string]string
	Flag    bool
	On      bool
	Maybe   *bool
	Mode    string
	Number  int
	Few     int
	Size    int
	Large   int64
	Wait    caddy.Duration
	Life    caddy.Duration
	Inner   *inner
	Checked string
}

type inner struct{ Number int }

func (i *inner) options() Options { return Options{"number": Number(&i.Number, 1)} }

func (x *thing) options() Options {
	return Options{
		"name":   Name(&x.Name),
		"prefix": Given(&x.Prefix, Text),
		"words":  Words(&x.Words),
		"pair":   Pairs(&x.Pairs, "a header and a field"),
		"flag":   Flag(&x.Flag),
		"on":     OnOff(&x.On),
		"maybe":  Given(&x.Maybe, OnOff),
		"mode":   OneOf(&x.Mode, "a", "b", "c"),
		"number": Number(&x.Number, 0),
		"few":    Between(&x.Few, 4, 6),
		"size":   Size(&x.Size, 8<<10),
		"large":  Size(&x.Large, 1<<50),
		"wait":   Duration(&x.Wait),
		"life":   Seconds(&x.Life),
		"inner":  Block(&x.Inner, "thing, inner", (*inner).options),
		"checked": Name(&x.Checked).Also(func() error {
			if strings.Contains(x.Checked, "|") {
				return errors.New("checked: it may not hold |")
			}
			return nil
		}),
	}
}

func read(text string) (*thing, error) {
	d := caddyfile.NewTestDispenser("thing {\n" + text + "\n}")
	d.Next()
	x := new(thing)
	return x, x.options().Read(d, "thing")
}

func TestRead(t *testing.T) {
	empty, a, on, off := "", "a", true, false
	for text, want := range map[string]thing{
		"":                         {},
		"name a":                   {Name: "a"},
		`name "a b"`:               {Name: "a b"},
		`prefix ""`:                {Prefix: &empty},
		"prefix a":                 {Prefix: &a},
		"words a b":                {Words: []string{"a", "b"}},
		"pair X-A a\npair X-B b":   {Pairs: map[string]string{"X-A": "a", "X-B": "b"}},
		"flag":                     {Flag: true},
		"on on":                    {On: true},
		"on off":                   {},
		"maybe on":                 {Maybe: &on},
		"maybe off":                {Maybe: &off},
		"mode c":                   {Mode: "c"},
		"number 0":                 {},
		"number 7":                 {Number: 7},
		"few 4":                    {Few: 4},
		"few 6":                    {Few: 6},
		"size 1":                   {Size: 1},
		"size 8KiB":                {Size: 8192},
		"size 4KB":                 {Size: 4000},
		"large 1PiB":               {Large: 1 << 50},
		"wait 1ms":                 {Wait: caddy.Duration(time.Millisecond)},
		"wait 7d":                  {Wait: caddy.Duration(7 * 24 * time.Hour)},
		"life 1s":                  {Life: caddy.Duration(time.Second)},
		"inner":                    {Inner: new(inner)},
		"inner {\n}":               {Inner: new(inner)},
		"inner {\nnumber 1\n}":     {Inner: &inner{1}},
		"checked a":                {Checked: "a"},
		"name a\ninner {\n}\nflag": {Name: "a", Flag: true, Inner: new(inner)},
	} {
		if got, err := read(text); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	const missing = ": missing value: "
	for text, want := range map[string]string{
		"colour red":                  "unrecognized option of thing: colour; it has checked, few, flag, inner, large, ",
		"name a\nname a":              "thing: name is given twice",
		"inner\ninner":                "thing: inner is given twice",
		"inner {\nx\n}":               "unrecognized option of thing, inner: x; it has number",
		"inner {\nnumber 1\nnumber 1": "thing, inner: number is given twice",
		"inner to-find":               "inner takes no value",
		"flag to-find":                "flag takes no value",
		"name":                        "name" + missing + "a text (a variable such as {$NAME} that is not set is empty)",
		`name ""`:                     "name" + missing,
		"name to-find to-find":        "name takes one value, a text, not 2; put a value with spaces in quotes",
		"prefix":                      "prefix" + missing,
		"prefix to-find b":            "prefix takes one value, a text, not 2",
		"words":                       "words" + missing + "one or more values",
		`words a ""`:                  "words" + missing,
		"pair":                        "pair" + missing + "a header and a field",
		"pair to-find":                "pair takes two values, a header and a field, not 1",
		"pair to-find a b":            "pair takes two values, a header and a field, not 3",
		"pair X-A a\npair X-A b":      "pair X-A is given twice",
		"on":                          "on" + missing + "on or off",
		"on true":                     `on must be on or off, not "true"`,
		"maybe yes":                   `maybe must be on or off, not "yes"`,
		"mode d":                      `mode must be a, b or c, not "d"`,
		"number -1":                   `number must be an integer of at least 0, not "-1"`,
		"number 1.5":                  `number must be an integer of at least 0, not "1.5"`,
		"number x":                    `number must be an integer of at least 0, not "x"`,
		"few 3":                       `few must be an integer from 4 to 6, not "3"`,
		"few 7":                       `few must be an integer from 4 to 6, not "7"`,
		"size 0":                      `size must be a number of bytes such as 4000, 64KB or 64KiB, and at most 8.0 KiB, not "0"`,
		"size 8193":                   `size must be a number of bytes`,
		"size -1":                     `size must be a number of bytes`,
		"size 4 KB":                   "size takes one value, a number of bytes",
		"large 2PiB":                  `large must be a number of bytes such as 4000, 64KB or 64KiB, and at most 1.0 PiB, not "2PiB"`,
		"wait 0":                      `wait must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "0"`,
		"wait 999us":                  `wait must be a duration of a millisecond or more`,
		"wait -1s":                    `wait must be a duration of a millisecond or more`,
		"wait 5":                      `wait must be a duration of a millisecond or more`,
		"life 999ms":                  `life must be a duration of a second or more, such as 90s, 24h or 7d, not "999ms"`,
		"checked a|b":                 "checked: it may not hold |",
		"inner {\nnumber 0\n}":        `number must be an integer of at least 1, not "0"`,
	} {
		_, err := read(text)
		fails(t, text, err, want)
		if err != nil && !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("%s: the error has no line: %v", text, err)
		}
	}
	d := caddyfile.NewTestDispenser("thing {\nx\n}")
	d.Next()
	fails(t, "no options", Options(nil).Read(d, "thing"), "unrecognized option of thing: x; it has no options")
}

// Values from JSON have the same rules and errors as those from a Caddyfile.
func TestCheck(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"Name":"a","Prefix":"","Words":["a"],"Pairs":{"a":"b"},"Flag":true,"On":true,"Maybe":false,"Mode":"a"}`,
		`{"Number":0,"Size":0,"Wait":0,"Life":0,"Inner":{}}`,
		`{"Number":1,"Size":8192,"Large":1,"Wait":"1ms","Life":"400d","Inner":{"Number":1},"Checked":"a"}`,
	} {
		if err := check(t, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		`{"Words":["to-find",""]}`: "words: value 2 of 2 is empty",
		`{"Mode":"d"}`:             `mode must be a, b or c, not "d"`,
		`{"Number":-1}`:            `number must be an integer of at least 0, not "-1"`,
		`{"Size":-1}`:              `size must be a number of bytes such as 4000, 64KB or 64KiB, and at most 8.0 KiB, not "-1"`,
		`{"Size":8193}`:            `size must be a number of bytes`,
		`{"Large":-1}`:             `large must be a number of bytes`,
		`{"Wait":999999}`:          `wait must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "999.999µs"`,
		`{"Wait":"-1s"}`:           `wait must be a duration of a millisecond or more`,
		`{"Life":"999ms"}`:         `life must be a duration of a second or more`,
		`{"Inner":{"Number":-1}}`:  `inner: number must be an integer of at least 1, not "-1"`,
		`{"Checked":"a|b"}`:        "checked: it may not hold |",
	} {
		fails(t, text, check(t, text), want)
	}
}

func check(t *testing.T, text string) error {
	t.Helper()
	x := new(thing)
	if err := json.Unmarshal([]byte(text), x); err != nil {
		t.Fatal(err)
	}
	return x.options().Check()
}

func TestArguments(t *testing.T) {
	line := func(text string) *caddyfile.Dispenser {
		d := caddyfile.NewTestDispenser(text)
		d.Next()
		return d
	}
	for text, want := range map[string]string{"store": "", "store a": "a", `store "a b" {` + "\n}": "a b"} {
		var got string
		if err := Optional(line(text), "store", "its folder", &got); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	var a, b string
	fails(t, "two", Optional(line("store to-find b"), "store x", "its folder", &a), "store x takes at most one value, its folder, not 2; put a value with spaces in quotes")
	fails(t, "a variable that is not set", Optional(line(`store ""`), "store", "its folder", &a), "store: missing value: its folder")
	if err := Args(line("store 1 2"), "store", "a and b", &a, &b); err != nil || a != "1" || b != "2" {
		t.Errorf("%q %q %v", a, b, err)
	}
	for text, want := range map[string]string{
		"store":             "store: missing value: a and b",
		"store to-find":     "store takes two values, a and b, not 1",
		`store to-find ""`:  "store: missing value",
		"store to-find b c": "store takes two values, a and b, not 3",
	} {
		fails(t, text, Args(line(text), "store", "a and b", &a, &b), want)
	}
	for want, n := range map[string][2]int{"one value": {1, 1}, "three values": {3, 3}, "two or three values": {2, 3}, "12 values": {12, 12}} {
		if got := values(n[0], n[1]); got != want {
			t.Errorf("%v: %s", n, got)
		}
	}
}

func TestOr(t *testing.T) {
	no := false
	if Or(nil, 5) != 5 || Or(&no, true) || Or(new(string), "a") != "" {
		t.Error("Or does not return the default for nil")
	}
}
