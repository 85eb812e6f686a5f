package jsondoc_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestKindAndString(t *testing.T) {
	for _, test := range []struct {
		text   string
		kind   jsondoc.Kind
		string string
		len    int
	}{
		{`null`, jsondoc.Null, "null", 0},
		{`true`, jsondoc.Bool, "true", 0},
		{`false`, jsondoc.Bool, "false", 0},
		{`-1.50`, jsondoc.Number, "-1.50", 0},
		{`""`, jsondoc.String, "", 0},
		{`"\"\\/\b\f\n\r\t\u0000\u007f é €"`, jsondoc.String, "\"\\/\b\f\n\r\t\x00\x7f é €", 0},
		{`"\ud83d\ude00!"`, jsondoc.String, "😀!", 0},
		{`"a\ud800b\udc00"`, jsondoc.String, "a\ufffdb\ufffd", 0},
		{`"\ud800\ud83d\ude00"`, jsondoc.String, "\ufffd😀", 0},
		{`"\\u00e9"`, jsondoc.String, `\u00e9`, 0},
		{`[]`, jsondoc.Array, `[]`, 0},
		{`[1, [2, 3], "]"]`, jsondoc.Array, `[1,[2,3],"]"]`, 3},
		{`{}`, jsondoc.Object, `{}`, 0},
		{`{"a": {"b": 1, "c": 2}, "d\"}": 3}`, jsondoc.Object, `{"a":{"b":1,"c":2},"d\"}":3}`, 2},
	} {
		t.Run(test.text, func(t *testing.T) {
			v := parse(t, test.text)
			if v.Kind() != test.kind || v.String() != test.string || v.Len() != test.len {
				t.Errorf("got %v, %q, %d", v.Kind(), v.String(), v.Len())
			}
		})
	}
}

func TestZeroValueIsNull(t *testing.T) {
	var v jsondoc.Value
	if v.Kind() != jsondoc.Null || v.Size() != 4 || ascii(v) != "null" || v.String() != "null" || v.Native() != nil ||
		v.Len() != 0 || v.Items() != nil || !v.Equal(parse(t, "null")) || !parse(t, "null").Equal(v) {
		t.Error("the zero value is not null")
	}
	if merged, err := jsondoc.MergePatch(v, v, jsondoc.NewBudget(4)); err != nil || ascii(merged) != "null" {
		t.Errorf("merged: %v", err)
	}
	if patched, err := parsePatch(t, `[{"op":"test","path":"","value":null}]`).Apply(v, jsondoc.NewBudget(4)); err != nil || ascii(patched) != "null" {
		t.Errorf("patched: %v", err)
	}
	if got := ascii(jsondoc.NewArray(v, v)); got != "[null,null]" {
		t.Errorf("got %s", got)
	}
}

func TestConstructors(t *testing.T) {
	for _, test := range []struct {
		name string
		got  jsondoc.Value
		want string
	}{
		{"object", jsondoc.NewObject(), `{}`},
		{"no items", jsondoc.NewArray(), `[]`},
		{"items", jsondoc.NewArray(jsondoc.NewString("a"), parse(t, "[1]")), `["a",[1]]`},
		{"string", jsondoc.NewString("a\"\\/\n\x00\x7fé€😀<"), `"a\"\\/\n\u0000\u007f\u00e9\u20ac\ud83d\ude00<"`},
		{"not UTF-8", jsondoc.NewString("a\xffb\xc3"), `"a\ufffdb\ufffd"`},
		{"replacement character", jsondoc.NewString("\ufffd!"), `"\ufffd!"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if ascii(test.got) != test.want || parse(t, test.want) != test.got || test.got.Size() != len(test.want) {
				t.Errorf("got %s, want %s", ascii(test.got), test.want)
			}
		})
	}
}

func TestItemsAndMembers(t *testing.T) {
	v := parse(t, `{"b":[1,{"x":[]},"a,]"],"\u00e9":null}`)
	var got []string
	for name, member := range v.Members() {
		got = append(got, name+"="+ascii(member))
		for _, item := range member.Items() {
			got = append(got, ascii(item))
		}
	}
	if want := []string{`b=[1,{"x":[]},"a,]"]`, `1`, `{"x":[]}`, `"a,]"`, `é=null`}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	for range v.Members() {
		break
	}
	for range parse(t, `[1]`).Members() {
		t.Error("an array has members")
	}
	if v.Items() != nil || parse(t, `"ab"`).Items() != nil {
		t.Error("something else than an array has items")
	}
}

func TestNative(t *testing.T) {
	const text = `{"a":[1.50,"\u00e9\ud83d\ude00",true,false,null,{}],"b":{"c":[]}}`
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := parse(t, text).Native(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestAppendUTF8(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing to do", `{"a":[1,"b"]}`, `{"a":[1,"b"]}`},
		{"non-ASCII", `["\u00e9","\u20ac","\ud83d\ude00"]`, `["é","€","😀"]`},
		{"keys", `{"\u00e9":1}`, `{"é":1}`},
		{"delete needs no escape", `"\u007f"`, "\"\x7f\""},
		{"what JSON escapes", `"\"\\\b\f\n\r\t\u0000\u001f"`, `"\"\\\b\f\n\r\t\u0000\u001f"`},
		{"lone surrogates", `"\ud800x\udc00\ud800\ud800\udc00"`, "\"\\ud800x\\udc00\\ud800\U00010000\""},
		{"escaped backslash", `"\\u00e9\\\u00e9\\"`, `"\\u00e9\\é\\"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := parse(t, test.text)
			const before = "before "
			if got := string(jsondoc.AppendUTF8([]byte(before), v.AppendASCII(nil))); got != before+test.want {
				t.Errorf("got %s", got)
			}
			if again := parse(t, test.want); again != v {
				t.Errorf("parsed again: %s", ascii(again))
			}
		})
	}
}

func TestAppendUTF8CopiesWhatIsNoJSON(t *testing.T) {
	for _, text := range []string{`\`, `\u`, `\u12`, `\uzzzz`, `\x\u00`, `"\ud800\u12`, "\xff"} {
		if got := string(jsondoc.AppendUTF8(nil, []byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`null`, `null`, true},
		{`null`, `false`, false},
		{`0`, `false`, false},
		{`""`, `null`, false},
		{`"1"`, `1`, false},
		{`"a"`, `"a"`, true},
		{`"\u00e9"`, `"é"`, true},
		{`"é"`, `"e\u0301"`, false},
		{`[]`, `{}`, false},
		{`[]`, `[]`, true},
		{`[1,2]`, `[1,2]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1,2]`, `[1]`, false},
		{`[1]`, `[1,2]`, false},
		{`[1]`, `1`, false},
		{`[12]`, `[1]`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{`{"a":1,"b":2}`, `{"a":1}`, false},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"b":2}`, `{"a":1,"c":2}`, false},
		{`{"a":{"x":[1,{"y":1.0,"z":null}],"w":0}}`, `{"a":{"w":-0,"x":[1.0,{"z":null,"y":1}]}}`, true},
		{`{"a":{"x":[1,{"y":1.0,"z":null}],"w":0}}`, `{"a":{"w":-0,"x":[1.0,{"z":null,"y":2}]}}`, false},
		{`{"a":null}`, `{}`, false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if a.Equal(b) != test.want || b.Equal(a) != test.want {
			t.Errorf("%s and %s: want %v", test.a, test.b, test.want)
		}
	}
}

func TestEqualNumbers(t *testing.T) {
	digits := strings.Repeat("7", 50_000)
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`1`, `10e-1`, true},
		{`1`, `0.1E+1`, true},
		{`1`, `1e0`, true},
		{`1`, `-1`, false},
		{`1`, `1.01`, false},
		{`1`, `10`, false},
		{`100`, `1e2`, true},
		{`100`, `1e-2`, false},
		{`0`, `-0`, true},
		{`0`, `0.000`, true},
		{`0`, `0e5`, true},
		{`0`, `-0.0e999999999999999999999999999999`, true},
		{`0`, `1e-999999999999999999999999999999`, false},
		{`123.456`, `1234560e-4`, true},
		{`123.456`, `0.000123456e6`, true},
		{`123.456`, `123.457`, false},
		{`-12.5`, `-125e-1`, true},
		{`1203`, `123`, false},
		{`1.203`, `12.03`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`0.1`, `0.1000000000000000055511151231257827`, false},
		{`1e999999999`, `1e999999999`, true},
		{`1e999999999`, `10e999999998`, true},
		{`1e999999999`, `1e999999998`, false},
		{`1e999999999`, `1e-999999999`, false},
		{`1e1000000000000000000000000000000`, `10e999999999999999999999999999999`, true},
		{`1e-1000000000000000000000000000000`, `0.1e-999999999999999999999999999999`, true},
		{`1e1000000000000000000000000000000`, `10e999999999999999999999999999998`, false},
		{`1e00000000000000000000000000000001`, `10`, true},
		{`10e-1`, `0.1e1`, true},
		{`1e99999999999999999999`, `1`, false},
		{`1e-99999999999999999999`, `1e99999999999999999999`, false},
		{`12`, `-12.0`, false},
		{digits, digits + ".0", true},
		{digits, digits + "e0", true},
		{digits + "e" + digits, digits + "0e" + digits[1:] + "6", true},
		{digits + "e" + digits, digits + "e" + digits[1:] + "6", false},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if a.Equal(b) != test.want || b.Equal(a) != test.want { // written out, some would fill the memory
			t.Errorf("%.60s and %.60s: want %v", test.a, test.b, test.want)
		}
	}
}

func TestLargeObjectsCompareInAnyOrder(t *testing.T) {
	const members = 100_000 // each compared with each would take minutes
	var forth, back strings.Builder
	for i := range members {
		fmt.Fprintf(&forth, `,"m%d":%d`, i, i)
		fmt.Fprintf(&back, `,"m%d":%d.0`, members-1-i, members-1-i)
	}
	a, b := parse(t, "{"+forth.String()[1:]+"}"), parse(t, "{"+back.String()[1:]+"}")
	start := time.Now()
	if !a.Equal(b) {
		t.Error("not equal")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
