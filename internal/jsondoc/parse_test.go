package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestParseMakesCanonical(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"null", `null`, `null`},
		{"true", `true`, `true`},
		{"false", `false`, `false`},
		{"empty object", `{}`, `{}`},
		{"empty array", `[]`, `[]`},
		{"empty string", `""`, `""`},
		{"empty key", `{"":0}`, `{"":0}`},
		{"whitespace everywhere", " \t\r\n{ \"a\" : [ 1 , 2 ] ,\n\"b\" : { } , \"c\" : [ ] } \n", `{"a":[1,2],"b":{},"c":[]}`},
		{"whitespace in strings stays", ` " a  b " `, `" a  b "`},
		{"members keep their order", `{"b":1,"a":2,"c":3}`, `{"b":1,"a":2,"c":3}`},
		{"same key in other objects", `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`},

		{"integer", `-120`, `-120`},
		{"negative zero", `-0`, `-0`},
		{"trailing zeros", `1.500`, `1.500`},
		{"exponents as written", `[1E5,1e+05,0.1e-7,0E0]`, `[1E5,1e+05,0.1e-7,0E0]`},
		{"every digit", `123456789012345678901234567890.123456789012345678901234567890`, `123456789012345678901234567890.123456789012345678901234567890`},
		{"huge exponent", `1e999999999999999999999`, `1e999999999999999999999`},

		{"short escapes", `"\"\\\b\f\n\r\t"`, `"\"\\\b\f\n\r\t"`},
		{"escaped slash", `"\/"`, `"/"`},
		{"HTML is not escaped", `"<a href='/'>&"`, `"<a href='/'>&"`},
		{"needless escapes", `"\u0041\u0022\u005C\u002f\u007e"`, `"A\"\\/~"`},
		{"long escapes of short ones", `"\u0008\u000C\u000a\u000D\u0009"`, `"\b\f\n\r\t"`},
		{"other controls", `"\u0000\u001F"`, `"\u0000\u001f"`},
		{"delete, escaped", `"\u007F"`, `"\u007f"`},
		{"delete, raw", "\"\x7f\"", `"\u007f"`},
		{"upper-case digits", `"\u00E9\uABCD"`, `"\u00e9\uabcd"`},
		{"two bytes", `"é"`, `"\u00e9"`},
		{"three bytes", `"€"`, `"\u20ac"`},
		{"line separators", "\"\u2028\u2029\"", `"\u2028\u2029"`},
		{"four bytes", `"😀"`, `"\ud83d\ude00"`},
		{"escaped pair", `"\uD83D\uDE00"`, `"\ud83d\ude00"`},
		{"replacement character", `"�"`, `"\ufffd"`},
		{"last noncharacter", "\"\U0010ffff\"", `"\udbff\udfff"`},
		{"lone high surrogate", `"\uD800"`, `"\ud800"`},
		{"lone low surrogate", `"\uDC00x"`, `"\udc00x"`},
		{"surrogates the wrong way round", `"\udc00\ud800"`, `"\udc00\ud800"`},
		{"backslash before a quote", `{"a\\":"\\\""}`, `{"a\\":"\\\""}`},
		{"key", `{"é\u0041\/":1}`, `{"\u00e9A/":1}`},
		{"keys of other case", `{"a":1,"A":2}`, `{"a":1,"A":2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := jsondoc.Parse(test.text, jsondoc.MaxDepth)
			if err != nil {
				t.Fatal(err)
			}
			if got := ascii(v); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if v.Size() != len(test.want) {
				t.Errorf("size %d, want %d", v.Size(), len(test.want))
			}
			if again := parse(t, ascii(v)); again != v {
				t.Errorf("parsed again: %s", ascii(again))
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", ``, "unexpected end at byte 0"},
		{"only whitespace", `  `, "unexpected end at byte 2"},
		{"two values", `{} {}`, "unexpected character at byte 3"},
		{"byte order mark", "\ufeff{}", "unexpected character at byte 0"},
		{"other whitespace", "\v1", "unexpected character at byte 0"},
		{"no-break space", "[1,\u00a02]", "unexpected character at byte 3"},
		{"zero byte", "{}\x00", "unexpected character at byte 2"},
		{"comment", `{/**/}`, "unexpected character at byte 1"},
		{"single quotes", `{'a':1}`, "unexpected character at byte 1"},
		{"bare key", `{a:1}`, "unexpected character at byte 1"},
		{"number as key", `{1:1}`, "unexpected character at byte 1"},
		{"no colon", `{"a" 1}`, "unexpected character at byte 5"},
		{"no value", `{"a":}`, "unexpected character at byte 5"},
		{"trailing comma in an object", `{"a":1,}`, "unexpected character at byte 7"},
		{"trailing comma in an array", `[1,]`, "unexpected character at byte 3"},
		{"leading comma", `[,1]`, "unexpected character at byte 1"},
		{"no comma", `[1 2]`, "unexpected character at byte 3"},
		{"wrong bracket", `[1}`, "unexpected character at byte 2"},
		{"open object", `{"a":1`, "unexpected end at byte 6"},
		{"open object after comma", `{"a":1,`, "unexpected end at byte 7"},
		{"open object at once", `{`, "unexpected end at byte 1"},
		{"open array", `[1`, "unexpected end at byte 2"},
		{"open string", `"abc`, "unexpected end at byte 4"},
		{"open escape", `"abc\`, "unexpected end at byte 5"},
		{"upper-case literal", `True`, "unexpected character at byte 0"},
		{"half a literal", `[nul]`, "invalid literal at byte 1"},
		{"long literal", `[nulll]`, "unexpected character at byte 5"},
		{"not a number", `NaN`, "unexpected character at byte 0"},
		{"plus sign", `+1`, "unexpected character at byte 0"},
		{"minus alone", `-`, "invalid number at byte 0"},
		{"minus infinity", `-Infinity`, "invalid number at byte 0"},
		{"leading zero", `01`, "unexpected character at byte 1"},
		{"negative leading zero", `-01`, "unexpected character at byte 2"},
		{"no digit before the point", `.5`, "unexpected character at byte 0"},
		{"no digit behind the point", `[5.]`, "invalid number at byte 1"},
		{"no exponent", `1e`, "invalid number at byte 0"},
		{"sign of an exponent", `1e+`, "invalid number at byte 0"},
		{"hexadecimal", `0x10`, "unexpected character at byte 1"},
		{"raw control character", "\"a\nb\"", "control character in a string at byte 2"},
		{"unknown escape", `"\x41"`, "invalid escape at byte 1"},
		{"short escape", `"\u12"`, "invalid escape at byte 1"},
		{"escape at the end", `"\u12`, "invalid escape at byte 1"},
		{"escape with a sign", `"\u+123"`, "invalid escape at byte 1"},
		{"escape with other characters", "\"\\u\x10\x11\x12\x13\"", "invalid escape at byte 1"},
		{"stray byte", "\"a\xff\"", "invalid UTF-8 at byte 2"},
		{"half a character", "\"\xc3\"", "invalid UTF-8 at byte 1"},
		{"overlong character", "\"\xc0\xaf\"", "invalid UTF-8 at byte 1"},
		{"surrogate as UTF-8", "\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1"},
		{"invalid UTF-8 in a key", "{\"\xff\":1}", "invalid UTF-8 at byte 2"},
		{"invalid UTF-8 outside", "[\xff]", "unexpected character at byte 1"},
		{"duplicate key", `{"a":1,"b":2,"a":1}`, "duplicate key at byte 13"},
		{"duplicate key, escaped", `{"a\u00e9":1,"\u0061é":2}`, "duplicate key at byte 13"},
		{"duplicate key inside", `[{"x":{"a":1,"a":2}}]`, "duplicate key at byte 13"},
		{"duplicate empty key", `{"":1,"":2}`, "duplicate key at byte 6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := jsondoc.Parse(test.text, jsondoc.MaxDepth)
			if err == nil {
				t.Fatalf("parsed as %s", ascii(v))
			}
			if err.Error() != test.want {
				t.Errorf("got %q, want %q", err, test.want)
			}
			if !errors.Is(err, jsondoc.ErrSyntax) {
				t.Error("not an ErrSyntax")
			}
			var parseError *jsondoc.ParseError
			if !errors.As(err, &parseError) || !strings.HasSuffix(test.want, fmt.Sprint(" ", parseError.Offset)) {
				t.Error("not a ParseError with the offset")
			}
		})
	}
}

func TestParseFindsDuplicatesInObjectsOfEverySize(t *testing.T) {
	for _, n := range []int{2, 24, 96, 512, 513, 5000} {
		text := wide(n)
		if _, err := jsondoc.Parse(text, jsondoc.MaxDepth); err != nil {
			t.Errorf("%d members: %v", n, err)
		}
		first := strings.TrimSuffix(text, "}") + `,"member0":0}`
		last := strings.TrimSuffix(text, "}") + fmt.Sprintf(`,"x":0,"member%d":0,"member0":1}`, n-1)
		for text, at := range map[string]int{first: len(text), last: len(text) + len(`"x":0,`)} {
			_, err := jsondoc.Parse(text, jsondoc.MaxDepth)
			if want := fmt.Sprintf("duplicate key at byte %d", at); err == nil || err.Error() != want {
				t.Errorf("%d members: got %v, want %s", n, err, want)
			}
		}
	}
}

func TestParseDepth(t *testing.T) {
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, test := range []struct {
		name, text string
		limit      int
		ok         bool
	}{
		{"32 arrays", nested(32), 32, true},
		{"33 arrays", nested(33), 32, false},
		{"32 objects", objects(32), 32, true},
		{"33 objects", objects(33), 32, false},
		{"a scalar at 0", `1`, 0, true},
		{"an array at 0", `[]`, 0, false},
		{"many in a row", "[" + strings.Repeat("[],", 99) + "[]]", 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := jsondoc.Parse(test.text, test.limit)
			if test.ok && err != nil || !test.ok && !errors.Is(err, jsondoc.ErrTooDeep) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := jsondoc.Parse(nested(33), 32); err == nil || err.Error() != "nested too deep at byte 32" {
		t.Errorf("got %v", err)
	}
}

func TestParseStopsAtAHundredThousandArrays(t *testing.T) {
	for _, text := range []string{nested(100_000), strings.Repeat("[", 100_000), strings.Repeat(`{"":`, 100_000)} {
		if _, err := jsondoc.Parse(text, jsondoc.MaxDepth); !errors.Is(err, jsondoc.ErrTooDeep) {
			t.Errorf("got %v", err)
		}
	}
}

func TestParseDoesNotKeepBytes(t *testing.T) {
	text := []byte(`{"a":"b"}`)
	v, err := jsondoc.Parse(text, 1)
	if err != nil {
		t.Fatal(err)
	}
	copy(text, `{"x":"y"}`)
	if got := ascii(v); got != `{"a":"b"}` {
		t.Errorf("got %s", got)
	}
}

func TestParseErrorsDoNotQuote(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		secret, `{"` + secret, `{"` + secret + `":` + secret, `"` + secret + "\n", `{"` + secret + `":1,"` + secret + `":2}`,
	} {
		if _, err := jsondoc.Parse(text, 1); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
	}
}

func TestParseNext(t *testing.T) {
	for _, test := range []struct{ name, text, value, rest string }{
		{"nothing behind", ` {"a": 1} `, `{"a":1}`, ""},
		{"another value", `{"a":1} , {"b":2}`, `{"a":1}`, `, {"b":2}`},
		{"something else", `"é"x`, `"\u00e9"`, "x"},
		{"a number ends", `12,3`, "12", ",3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, rest, err := jsondoc.ParseNext(test.text, jsondoc.MaxDepth)
			if err != nil || ascii(v) != test.value || rest != test.rest {
				t.Errorf("got %s, %q, %v", ascii(v), rest, err)
			}
		})
	}
	if _, rest, err := jsondoc.ParseNext(`{"a"`, jsondoc.MaxDepth); err == nil || rest != `{"a"` {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestParseList(t *testing.T) {
	for _, test := range []struct{ name, text, want, err string }{
		{"one", ` {"a":1} `, `{"a":1}`, ""},
		{"two", `{"a":1} , {"b":2}`, `{"a":1} {"b":2}`, ""},
		{"all kinds", `[1],"é", "é",3,null`, `[1] "\u00e9" "\u00e9" 3 null`, ""},
		{"commas inside", `{"a":",","b":[1,2]},["},{"]`, `{"a":",","b":[1,2]} ["},{"]`, ""},
		{"none", ``, "", "unexpected end at byte 0"},
		{"only whitespace", ` `, "", "unexpected end at byte 1"},
		{"empty element first", `,{}`, "", "unexpected character at byte 0"},
		{"empty element between", `{}, ,{}`, "", "unexpected character at byte 4"},
		{"empty element last", `{} ,`, "", "unexpected end at byte 4"},
		{"no comma", `{}{}`, "", "unexpected character at byte 2"},
		{"damage in the second", `{}, {"a"}`, "", "unexpected character at byte 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := jsondoc.ParseList(test.text, jsondoc.MaxDepth)
			texts := make([]string, len(list))
			for i, v := range list {
				texts[i] = ascii(v)
			}
			if got := strings.Join(texts, " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if err == nil && test.err != "" || err != nil && err.Error() != test.err {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}
