package jsondoc_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		` {"a": [1, -2.50e+3, "é\u00E9\ud83d\ude00\ud800\/", true, false, null], "b": {}} `,
		`{"a":1,"\u0061":2}`, nested(33), "\"\x7f\xff\"", `[1,]`, `01`, `"\u12"`, wide(100),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
		valid := json.Valid([]byte(text))
		if err != nil {
			// Three things are valid for encoding/json that are not for us.
			stricter := !utf8.ValidString(text) || errors.Is(err, jsondoc.ErrTooDeep) || strings.HasPrefix(err.Error(), "duplicate key")
			if valid && !stricter {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if !valid {
			t.Fatalf("%q was parsed", text)
		}
		ascii := v.AppendASCII(nil)
		for _, c := range ascii {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is not printable ASCII", ascii)
			}
		}
		if v.Size() != len(ascii) {
			t.Fatalf("size %d of %q", v.Size(), ascii)
		}
		utf8Text := jsondoc.AppendUTF8(nil, v.AppendASCII(nil))
		for _, again := range [][]byte{ascii, utf8Text} {
			if w, err := jsondoc.Parse(again, jsondoc.MaxDepth); err != nil || w != v || !w.Equal(v) {
				t.Fatalf("%q became %q: %v", text, again, err)
			}
		}
		if !utf8.Valid(utf8Text) {
			t.Fatalf("%q is not UTF-8", utf8Text)
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := v.Native(); !hasHalfSurrogate(string(ascii)) && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", text, got, want)
		}
	})
}

// hasHalfSurrogate reports whether the text may hold names that decode to the same one, with U+FFFD
// in it, which a map cannot tell apart.
func hasHalfSurrogate(ascii string) bool { return strings.Contains(ascii, `\ud`) }

func FuzzPatch(f *testing.F) {
	for _, test := range patchCases {
		f.Add(test.doc, test.patch)
	}
	f.Fuzz(func(t *testing.T, docText, patchText string) {
		doc, err := jsondoc.Parse(docText, jsondoc.MaxDepth)
		if err != nil {
			return
		}
		patchValue, err := jsondoc.Parse(patchText, jsondoc.MaxDepth)
		if err != nil {
			return
		}
		before, beforePatch := ascii(doc), ascii(patchValue)

		const limit = 1 << 14
		merged, err := jsondoc.MergePatch(doc, patchValue, jsondoc.NewBudget(limit))
		checkResult(t, merged, err, limit)
		again, againErr := jsondoc.MergePatch(merged, patchValue, jsondoc.NewBudget(limit))
		if err == nil && againErr == nil && again != merged {
			t.Fatalf("merged once %s, twice %s", ascii(merged), ascii(again))
		}

		if patch, err := jsondoc.ParsePatch(patchValue); err == nil {
			patched, err := patch.Apply(doc, jsondoc.NewBudget(limit))
			checkResult(t, patched, err, limit)
			if again, againErr := patch.Apply(doc, jsondoc.NewBudget(limit)); again != patched || (err == nil) != (againErr == nil) {
				t.Fatalf("applied once %s, twice %s", ascii(patched), ascii(again))
			}
		}
		if ascii(doc) != before || ascii(patchValue) != beforePatch {
			t.Fatal("an input has changed")
		}
	})
}

func checkResult(t *testing.T, v jsondoc.Value, err error, limit int) {
	t.Helper()
	if err != nil {
		return
	}
	if v.Size() > limit {
		t.Fatalf("%d bytes", v.Size())
	}
	again, err := jsondoc.Parse(v.AppendASCII(nil), jsondoc.MaxDepth)
	if err != nil || again != v {
		t.Fatalf("the result %s is not canonical: %v", ascii(v), err)
	}
}

func FuzzIncrement(f *testing.F) {
	for _, pair := range [][2]string{
		{"1", "1"}, {"0.1", "0.2"}, {"1e2", "-1.50"}, {"-0", "0e5"}, {"1e-32", "1e32"}, {"999999999999999999", "1"},
		{"12345678901234567890123456789012", "-0.1234567890123456789012345678901"}, {"1.5E-31", "0"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, number, by string) {
		a, err := jsondoc.Parse(number, 0)
		if err != nil || a.Kind() != jsondoc.Number {
			return
		}
		b, err := jsondoc.Parse(by, 0)
		if err != nil || b.Kind() != jsondoc.Number {
			return
		}
		got, err := applyText(a, `[{"op":"increment","path":"","value":`+by+`}]`)
		if err != nil {
			if withinLimits(number) && withinLimits(by) {
				t.Fatalf("%s + %s: %v", number, by, err)
			}
			return
		}
		want := new(big.Rat).Add(rational(t, number), rational(t, by))
		if rational(t, ascii(got)).Cmp(want) != 0 {
			t.Fatalf("%s + %s = %s", number, by, ascii(got))
		}
		if got.Kind() != jsondoc.Number || parse(t, ascii(got)) != got {
			t.Fatalf("%s is not canonical", ascii(got))
		}
		if a.Equal(b) != (rational(t, number).Cmp(rational(t, by)) == 0) {
			t.Fatalf("%s equals %s: %v", number, by, a.Equal(b))
		}
	})
}

// withinLimits is cautious: it refuses some numbers that are within the limits.
func withinLimits(number string) bool {
	return len(number) <= jsondoc.MaxDigits && !strings.ContainsAny(number, "eE")
}

func rational(t *testing.T, number string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(strings.TrimSpace(number))
	if !ok {
		t.Fatalf("%s is no number", number)
	}
	return r
}

func FuzzFields(f *testing.F) {
	f.Add(fieldsDoc, "user.tags.1.x", `[1]`)
	f.Add(`{"a":[{},{"b":1}]}`, "a.0.b.c", `"x"`)
	f.Fuzz(func(t *testing.T, docText, pathText, valueText string) {
		doc, err := jsondoc.Parse(docText, jsondoc.MaxDepth)
		if err != nil {
			return
		}
		path, err := jsondoc.ParsePath(pathText)
		if err != nil {
			return
		}
		value, err := jsondoc.Parse(valueText, jsondoc.MaxDepth)
		if err != nil {
			return
		}
		was, had := doc.Lookup(path)
		set, err := jsondoc.Set(doc, path, value)
		checkResult(t, set, err, noLimit)
		if err == nil {
			if is, found := set.Lookup(path); !found || is != value {
				t.Fatalf("set %s", ascii(set))
			}
		}
		removed, err := jsondoc.Remove(doc, path)
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, removed, nil, noLimit)
		if had == (removed == doc) {
			t.Fatalf("removed %s", ascii(removed))
		}
		selected := jsondoc.Select(doc, []jsondoc.Path{path, path})
		checkResult(t, selected, nil, noLimit)
		if is, has := selected.Lookup(path); has != had || is != was {
			t.Fatalf("selected %s", ascii(selected))
		}
	})
}
