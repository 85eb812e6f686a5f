package pickle_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/frameworks/python/pickle"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// change adds two fields to a pickled session.
func change(t *testing.T, data []byte) []byte {
	t.Helper()
	d, protocol, err := pickle.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := python.ToJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.TrimSuffix(string(text), "}") + `,"caddy":{"seen":[true,null,1.5,-3,"\u00e9"]},"made":{" t":[` +
		`{" b":"/w=="},{" m":"<b>"},{" u":"00000000000000000000000000000007"},{" d":"Tue, 14 Nov 2023 22:13:20 GMT"}]}}`
	doc, err := jsondoc.Parse(changed, jsondoc.MaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := python.Merge(d, doc, &pickle.Maker)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := pickle.Encode(merged, protocol)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A pickle from a real Python keeps every type and value when another part of it changes.
func TestLivePython(t *testing.T) {
	interpreter := os.Getenv("SESSION_TEST_PYTHON")
	if interpreter == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with markupsafe")
		}
		t.Skip("SESSION_TEST_PYTHON is not set; test/run.sh sets it")
	}
	run := func(input, arg string) []byte {
		t.Helper()
		command := exec.CommandContext(t.Context(), interpreter, "-c", program, arg)
		command.Stdin, command.Stderr = strings.NewReader(input), os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var pickles [][]byte
	if err := json.Unmarshal(run("", "make"), &pickles); err != nil || len(pickles) != 600 {
		t.Fatalf("%d pickles, %v", len(pickles), err)
	}
	for i := range pickles {
		pickles[i] = change(t, pickles[i])
	}
	input, err := json.Marshal(pickles)
	if err != nil {
		t.Fatal(err)
	}
	if out := run(string(input), "compare"); string(out) != "same\n" {
		t.Errorf("Python reports %q", out)
	}
}

func notUnderstood(t *testing.T, data string) {
	t.Helper()
	d, _, err := pickle.Decode([]byte(data))
	if err == nil {
		_, err = python.ToJSON(d)
	}
	if !errors.Is(err, sessionstore.ErrRecord) {
		t.Errorf("%.40q: %v", data, err)
	}
}

func TestAttackPickleThatCallsAFunction(t *testing.T) {
	for _, data := range []string{
		"cos\nsystem\n(S'touch /tmp/x'\ntR.",
		"\x80\x04}\x8c\x01a\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85Rs.",
		"\x80\x03}X\x01\x00\x00\x00acbuiltins\neval\nX\x01\x00\x00\x001\x85Rs.",
		"\x80\x02}U\x01acsubprocess\nPopen\nU\x02ls\x85Rs.",
		"\x80\x02}U\x01acos.path\nsystem\nU\x02ls\x85Rs.",
		"\x80\x02}U\x01ac__builtin__\ngetattr\ns.", // getattr is not called
		"\x80\x02}U\x01acapp\nmake\n)R)Rs.",        // the result of a function is called
	} {
		notUnderstood(t, data)
	}
}

func TestAttackTruncatedPickle(t *testing.T) {
	const whole = "\x80\x04\x95\x22\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\n_permanent\x94\x88\x8c\x03uid\x94\x8c\x06bmakan\x94u."
	d, protocol, err := pickle.Decode([]byte(whole))
	if err != nil || protocol != 4 || len(d.Pairs) != 2 {
		t.Fatalf("protocol %d, %v", protocol, err)
	}
	for n := range len(whole) {
		notUnderstood(t, whole[:n])
	}
	notUnderstood(t, whole+".")
}

func TestAttackPickleBombs(t *testing.T) {
	doubling := "\x80\x02}U\x01a]"
	for range 60 { // each list holds the previous one twice: 2^60 items
		doubling += "q\x00]h\x00ah\x00a"
	}
	for name, data := range map[string]string{
		"lists of lists of lists":     doubling + "s.",
		"a length of 4 GiB":           "\x80\x02}X\xff\xff\xff\xff",
		"a length of 16 EiB":          "\x80\x04}\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
		"a long of 4 GiB":             "\x80\x02}\x8b\xff\xff\xff\x7f",
		"a memo of 4 GiB":             "\x80\x02}r\xff\xff\xff\xffj\x00\x00\x00\x00.",
		"deep lists":                  "\x80\x02}U\x01a" + strings.Repeat("]", 100000) + strings.Repeat("a", 99999) + "s.",
		"a list that contains itself": "\x80\x02}U\x01a]q\x00h\x00as.",
		"an int of many digits":       "(dV\na\nL" + strings.Repeat("9", 200000) + "L\ns.",
		"extensions":                  "\x80\x02\x82\x01.",
		"a persistent id":             "\x80\x02U\x01aQ.",
		"no dict":                     "\x80\x02].",
		"two values":                  "\x80\x02}}.",
		"an unused mark":              "\x80\x02(}.",
		"protocol 6":                  "\x80\x06}.",
	} {
		t.Run(name, func(t *testing.T) { notUnderstood(t, data) })
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x80\x04}\x8c\x01a\x8c\x07decimal\x8c\x07Decimal\x93\x8c\x011\x85Rs."))
	f.Add([]byte("(dp0\nV_permanent\np1\nI01\nsVuid\np2\nVbmakan\np3\ns."))
	f.Add([]byte("\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01M\x00\x01J\x00\x00\x01\x00eh\x01h\x02u."))
	f.Add([]byte("\x80\x05}(\x8c\x01a\x8f(K\x01\x90\x8c\x01b(K\x02\x91\x8c\x01c\x96\x01\x00\x00\x00\x00\x00\x00\x00xu."))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, protocol, err := pickle.Decode(data)
		if err != nil {
			if !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%v", err)
			}
			return
		}
		text, err := python.ToJSON(d)
		if err != nil {
			return
		}
		out, err := pickle.Encode(d, protocol)
		if err != nil {
			return
		}
		again, _, err := pickle.Decode(out)
		if err != nil {
			t.Fatalf("cannot decode what was encoded: %v", err)
		}
		if back, err := python.ToJSON(again); err != nil || string(back) != string(text) {
			t.Errorf("%s became %s, %v", text, back, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d := new(python.Dict)
	for _, name := range []string{"user", "name", "cart", "csrf", "notes"} {
		d.Add(python.Str(name), &python.List{Items: []python.Value{python.Str(strings.Repeat(name, 20)), python.Int("4711"), python.Bool(true)}})
	}
	data, err := pickle.Encode(d, 4)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		d, _, err := pickle.Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := python.ToJSON(d); err != nil {
			b.Fatal(err)
		}
	}
}
