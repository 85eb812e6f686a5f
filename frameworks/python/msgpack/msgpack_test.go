package msgpack_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/frameworks/python/msgpack"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// program is a Python program that encodes sessions from a seed with msgspec, and compares those
// that it gets back by value and type.
const program = `
import base64, json, random, sys
from datetime import datetime, timedelta, timezone
import msgspec

def text(r): return r.choice(["a", "aé\"\\\u2028\U0001f600\x00"]) * r.choice([0, 1, 5, 40]) + "a" * r.choice([0, 0, 0, 300, 70000])

def value(r, depth):
    kind = r.randrange(10 if depth < 3 else 7)
    if kind == 0: return None
    if kind == 1: return r.random() < 0.5
    if kind == 2: return r.choice([1, -1]) * (2 ** r.randrange(63) + r.randrange(-1, 2)) + r.choice([0, 2**62])
    if kind == 3: return r.choice([0.0, -0.0, 1e300, 5e-324, float("inf"), 0.1, 1e16, 3.0, 2**64 - 1])
    if kind == 4: return text(r)
    if kind == 5: return r.randbytes(r.choice([0, 1, 31, 255, 256, 65536]))
    if kind == 6: return r.choice([
        datetime.fromtimestamp(r.choice([0, 2**32 - 1, 2**32, 2**33, -5]), timezone.utc) + timedelta(microseconds=r.choice([0, 7])),
        msgspec.msgpack.Ext(r.choice([1, 5, -7]), r.randbytes(r.choice([0, 1, 2, 3, 4, 8, 16, 17, 300])))])
    if kind == 7: return [value(r, depth + 1) for _ in range(r.choice([0, 3, 20]))]
    if kind == 8: return {r.choice([" t", " d", " o", " x"]): value(r, depth + 1)}
    return {r.choice(["a", 5, -70000, None, b"b"]) if i == 3 else "k%d" % i: value(r, depth + 1) for i in range(r.choice([0, 2, 5, 17]))}

def make(seed):
    r = random.Random(seed)
    return {"k%d" % i: value(r, 0) for i in range(r.randrange(1, 8))}

def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float): return repr(a) == repr(b)
    return a == b

encoded = [msgspec.msgpack.encode(make(seed)) for seed in range(300)]
encoded = [e for e in encoded if len(e) < 100000]
if sys.argv[1] == "make":
    json.dump([base64.b64encode(e).decode() for e in encoded], sys.stdout)
else:
    for was, now in zip(encoded, json.load(sys.stdin), strict=True):
        want, data = msgspec.msgpack.decode(was), base64.b64decode(now)
        got = msgspec.msgpack.decode(data)
        want["caddy"] = {"seen": [True, None, 1.5, -3, "é"]}
        want["made"] = [b"\xff", "00000000-0000-0000-0000-000000000007", datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)]
        assert same(want, got), (want, got)
        assert msgspec.msgpack.encode(got) == data, (want, data)
    print("same")
`

// change adds two fields to a session in MessagePack.
func change(t *testing.T, data []byte) []byte {
	t.Helper()
	d, err := msgpack.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := python.ToJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsondoc.Parse(strings.TrimSuffix(string(text), "}")+`,"caddy":{"seen":[true,null,1.5,-3,"\u00e9"]},"made":{" t":[`+
		`{" b":"/w=="},{" u":"00000000000000000000000000000007"},{" d":"Tue, 14 Nov 2023 22:13:20 GMT"}]}}`, jsondoc.MaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := python.Merge(d, doc, &msgpack.Maker)
	if err != nil {
		t.Fatal(err)
	}
	out, err := msgpack.Encode(merged)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A session from msgspec keeps every type, value and form when another part of it changes.
func TestLiveMsgspec(t *testing.T) {
	interpreter := os.Getenv("SESSION_TEST_PYTHON")
	if interpreter == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with msgspec")
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
	var messages [][]byte
	if err := json.Unmarshal(run("", "make"), &messages); err != nil || len(messages) < 100 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	for i := range messages {
		messages[i] = change(t, messages[i])
	}
	input, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	if out := run(string(input), "compare"); string(out) != "same\n" {
		t.Errorf("Python reports %q", out)
	}
}

func TestAttackMessagePackBombs(t *testing.T) {
	for name, data := range map[string]string{
		"a list of 4 G items":    "\x81\xa1a\xdd\xff\xff\xff\xff\xc0",
		"a map of 4 G items":     "\xdf\xff\xff\xff\xff\xa1a\xc0",
		"a string of 4 GiB":      "\x81\xa1a\xdb\xff\xff\xff\xffx",
		"an extension of 4 GiB":  "\x81\xa1a\xc9\xff\xff\xff\xff\x01x",
		"deep lists":             "\x81\xa1a" + strings.Repeat("\x91", 100000) + "\xc0",
		"deep keys":              strings.Repeat("\x81", 100000) + "\xc0\xc0",
		"truncated":              "\x82\xaa_permanent\xc3\xa3uid\xa6bma",
		"nothing":                "",
		"trailing bytes":         "\x80\x04",
		"the unused byte":        "\x81\xa1a\xc1",
		"no map":                 "\x91\xc0",
		"text that is not UTF-8": "\x81\xa1a\xa1\xff",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := msgpack.Decode([]byte(data)); !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatMessagePackCannotHold(t *testing.T) {
	for name, data := range map[string]string{
		"an int of 65 bits": `{"a":18446744073709551616}`,
		"Markup":            `{"a":{" m":"<b>"}}`,
		"no UUID":           `{"a":{" u":"7"}}`,
		"a marker":          `{"a":{" o":"app.Own#000000000000"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := jsondoc.Parse(data, jsondoc.MaxDepth)
			if err != nil {
				t.Fatal(err)
			}
			d, err := python.Merge(nil, doc, &msgpack.Maker)
			if err == nil {
				_, err = msgpack.Encode(d)
			}
			if !errors.Is(err, sessionstore.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x82\xaa_permanent\xc3\xa3uid\xa6bmakan"))
	f.Add([]byte("\x81\xa1a\x97\xc0\xc4\x01x\xd6\xff\x00\x00\x00\x01\xca\x00\x00\x00\x00\xcd\x01\x00\xd1\x80\x00\xe0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := msgpack.Decode(data)
		if err != nil {
			if !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%v", err)
			}
			return
		}
		out, err := msgpack.Encode(d)
		if err != nil {
			t.Fatalf("cannot encode what was decoded: %v", err)
		}
		again, err := msgpack.Decode(out)
		if err != nil {
			t.Fatalf("cannot decode what was encoded: %v", err)
		}
		text, err := python.ToJSON(d)
		if err != nil {
			return
		}
		if back, err := python.ToJSON(again); err != nil || string(back) != string(text) {
			t.Errorf("%s became %s, %v", text, back, err)
		}
	})
}
