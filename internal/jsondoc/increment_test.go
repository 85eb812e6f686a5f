package jsondoc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

func TestIncrement(t *testing.T) {
	nines, ones := strings.Repeat("9", 32), strings.Repeat("1", 32)
	for _, test := range []struct{ number, by, want string }{
		{"1", "1", "2"},
		{"1", "-1", "0"},
		{"-3", "2", "-1"},
		{"0", "-1", "-1"},
		{"0.1", "0.2", "0.3"},
		{"1.50", "1", "2.50"},
		{"1.50", "0.5", "2.00"},
		{"0.10", "-0.1", "0.00"},
		{"-0.05", "0.04", "-0.01"},
		{"9.99", "0.01", "10.00"},
		{"1e2", "1", "101"},
		{"1E+2", "1e-2", "100.01"},
		{"1.5e1", "0", "15"},
		{"1.50e1", "0", "15.0"},
		{"5e-1", "0", "0.5"},
		{"-0", "0", "0"},
		{"-0", "-0", "0"},
		{"-0.0", "0", "0.0"},
		{"0e5", "1", "1"},
		{"0.0", "1", "1.0"},
		{"9007199254740993", "1", "9007199254740994"},
		{"999999999999999999", "1", "1000000000000000000"},
		{"-999999999999999999", "-999999999999999999", "-1999999999999999998"},
		{"9223372036854775807", "1", "9223372036854775808"},
		{nines, "1", "1" + strings.Repeat("0", 32)},
		{"-" + nines, "-" + nines, "-1" + nines[1:] + "8"},
		{ones[:16] + "." + ones[:16], "1", "1111111111111112." + ones[:16]},
		{"1e32", "1", "1" + strings.Repeat("0", 31) + "1"},
		{"1e-32", "1", "1." + strings.Repeat("0", 31) + "1"},
		{"1e-31", "0", "0." + strings.Repeat("0", 30) + "1"},
		{"1e-32", "1e-32", "2e-32"},
		{"-1.5e-31", "0", "-1.5e-31"},
		{"1.50e-32", "1e-34", ""},
		{"1e-32", "-1e-32", "0"},
		{"1e32", "1e-32", "1" + strings.Repeat("0", 32) + "." + strings.Repeat("0", 31) + "1"},
		{"1e00032", "-1e0032", "0"},
	} {
		t.Run(test.number+" by "+test.by, func(t *testing.T) {
			got, err := applyText(parse(t, `{"n":`+test.number+`}`), `[{"op":"increment","path":"/n","value":`+test.by+`}]`)
			if test.want == "" {
				if err == nil {
					t.Errorf("got %s", ascii(got))
				}
				return
			}
			if want := `{"n":` + test.want + `}`; err != nil || ascii(got) != want {
				t.Errorf("got %s, %v, want %s", ascii(got), err, want)
			}
			if parse(t, ascii(got)) != got {
				t.Error("the result is not canonical")
			}
		})
	}
}

func TestIncrementTargets(t *testing.T) {
	for _, test := range []struct{ name, doc, path, want, err string }{
		{"no such member", `{}`, "/n", `{"n":7}`, ""},
		{"no such nested member", `{"a":[{"b":1}]}`, "/a/0/n", `{"a":[{"b":1,"n":7}]}`, ""},
		{"item", `{"a":[1,2]}`, "/a/1", `{"a":[1,9]}`, ""},
		{"the document", `5`, "", `12`, ""},
		{"no parent", `{}`, "/a/n", "", "its path has no parent array or object"},
		{"parent is a scalar", `{"a":1}`, "/a/n", "", "its path has no parent array or object"},
		{"item behind the end", `{"a":[]}`, "/a/-", "", "its path does not end in an index of the array"},
		{"no such item", `{"a":[1]}`, "/a/1", "", "its path does not end in an index of the array"},
		{"string", `{"n":"1"}`, "/n", "", "its target is not a number"},
		{"null", `{"n":null}`, "/n", "", "its target is not a number"},
		{"object", `{"n":{}}`, "/n", "", "its target is not a number"},
		{"the document is an object", `{"n":{}}`, "", "", "its target is not a number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := applyText(parse(t, test.doc), `[{"op":"increment","path":"`+test.path+`","value":7}]`)
			if test.err != "" {
				if err == nil || err.Error() != "operation 0 (increment): "+test.err {
					t.Errorf("got %v", err)
				}
			} else if err != nil || ascii(got) != test.want {
				t.Errorf("got %s, %v", ascii(got), err)
			}
		})
	}

	// What a test made of an object does not pass for a number.
	_, err := applyText(parse(t, `{"n":{"a":1}}`), `[{"op":"test","path":"/n/a","value":1},{"op":"increment","path":"/n","value":7}]`)
	if err == nil || err.Error() != "operation 1 (increment): its target is not a number" {
		t.Errorf("got %v", err)
	}
}

func TestIncrementOfAMissingMemberIsWrittenPlain(t *testing.T) {
	for by, want := range map[string]string{"1e2": "100", "1.50": "1.50", "-0": "0", "-2.5e-1": "-0.25"} {
		got, err := applyText(jsondoc.NewObject(), `[{"op":"increment","path":"/n","value":`+by+`}]`)
		if err != nil || ascii(got) != `{"n":`+want+`}` {
			t.Errorf("%s: got %s, %v", by, ascii(got), err)
		}
	}
}

func TestIncrementLimits(t *testing.T) {
	digits := func(n int) string { return strings.Repeat("7", n) }
	for _, test := range []struct{ name, number, err string }{
		{"32 digits", digits(32), ""},
		{"33 digits", digits(33), "a number of more than 32 digits"},
		{"32 digits and a sign", "-" + digits(32), ""},
		{"32 digits with a point", "7." + digits(31), ""},
		{"33 digits with a point", "7." + digits(32), "a number of more than 32 digits"},
		{"zeros count", "0." + strings.Repeat("0", 32), "a number of more than 32 digits"},
		{"exponent 32", "1e32", ""},
		{"exponent 33", "1e33", "a number with an exponent beyond 32"},
		{"exponent -32", "1e-32", ""},
		{"exponent -33", "1E-33", "a number with an exponent beyond 32"},
		{"exponent of many zeros", "1e" + strings.Repeat("0", 100) + "32", ""},
		{"exponent that overflows", "1e99999999999999999999", "a number with an exponent beyond 32"},
		{"huge exponent of zero", "0e33", "a number with an exponent beyond 32"},
		{"string", `"1"`, "not a number"},
		{"null", `null`, "not a number"},
		{"array", `[1]`, "not a number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, side := range []struct{ name, doc, by string }{
				{"value", `{"n":1}`, test.number},
				{"target", `{"n":` + test.number + `}`, "1"},
			} {
				_, err := applyText(parse(t, side.doc), `[{"op":"increment","path":"/n","value":`+side.by+`}]`)
				want := fmt.Sprintf("operation 0 (increment): its %s is %s", side.name, test.err)
				if test.err == "" && err != nil || test.err != "" && (err == nil || err.Error() != want) {
					t.Errorf("%s: got %v", side.name, err)
				}
			}
		})
	}
}
