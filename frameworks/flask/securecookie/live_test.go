package securecookie_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// program is a Python program that makes sessions of Flask from a seed, and compares those that it
// gets back by value and type.
const program = `
import json, random, sys, uuid
from datetime import datetime, timezone
from flask import Flask
from markupsafe import Markup
app = Flask(__name__)
app.secret_key = "correct horse battery staple"
serializer = app.session_interface.get_signing_serializer(app)

def value(r, depth):
    kind = r.randrange(15 if depth < 3 else 11)
    if kind == 0: return None
    if kind == 1: return r.random() < 0.5
    if kind == 2: return r.randrange(-10**30, 10**30)
    if kind == 3: return r.uniform(-1e300, 1e300)
    if kind == 4: return "".join(r.choice("aé\"\\\u2028\U0001f600 <>&/\n\x00") for _ in range(r.randrange(9)))
    if kind == 5: return r.randbytes(r.randrange(9))
    if kind == 6: return uuid.UUID(int=r.getrandbits(128))
    if kind == 7: return Markup("<b>%d</b>" % r.randrange(9))
    if kind == 8: return datetime.fromtimestamp(r.randrange(2**31), timezone.utc)
    if kind == 9: return r.randrange(9)
    if kind == 10: return r.choice([float("inf"), -float("inf"), float("nan"), "NaN \" Infinity"])
    if kind == 11: return tuple(value(r, depth + 1) for _ in range(r.randrange(4)))
    if kind == 12: return [value(r, depth + 1) for _ in range(r.randrange(4))]
    if kind == 13: return {" t": value(r, depth + 1)}
    return {r.choice("abcdefé") + str(i): value(r, depth + 1) for i in range(r.randrange(4))}

def make(seed):
    r = random.Random(seed)
    session = {"k%d" % i: value(r, 0) for i in range(r.randrange(1, 8))}
    if r.random() < 0.5: session["_permanent"] = r.random() < 0.5
    if r.random() < 0.5: session["_flashes"] = [("c", "m%d" % r.randrange(9)), ("d", Markup("<i>"))]
    return session

def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)

seeds = range(200)
if sys.argv[1] == "make":
    json.dump([serializer.dumps(make(seed)) for seed in seeds], sys.stdout)
else:
    for seed, cookie in zip(seeds, json.load(sys.stdin), strict=True):
        want, got = make(seed), serializer.loads(cookie)
        want["caddy"] = {"seen": True}
        want.setdefault("_flashes", []).append(("caddy", "hello"))
        assert same(want, got), (seed, want, got)
    print("same")
`

// A session of a real Flask keeps every type and value when another part of it changes.
func TestLiveFlask(t *testing.T) {
	python := os.Getenv("SESSION_TEST_PYTHON")
	if python == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with Flask")
		}
		t.Skip("SESSION_TEST_PYTHON is not set; test/run.sh sets it")
	}
	run := func(input, arg string) []byte {
		t.Helper()
		command := exec.CommandContext(t.Context(), python, "-c", program, arg)
		command.Stdin, command.Stderr = strings.NewReader(input), os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var made []string
	if err := json.Unmarshal(run("", "make"), &made); err != nil {
		t.Fatal(err)
	}
	signer, err := securecookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	for i, cookie := range made {
		payload, _, _, ok := signer.Open(cookie, time.Now())
		if !ok {
			t.Fatalf("cookie %d does not verify", i)
		}
		var r sessionstore.Record
		if err := (securecookie.Codec{}).Decode(payload, &r); err != nil {
			t.Fatalf("cookie %d: %v", i, err)
		}
		r.Data = []byte(strings.Replace(string(r.Data), "{", `{"caddy":{"seen":true},`, 1))
		if r.Flash == nil {
			r.Flash = []byte("[]")
		}
		r.Flash = []byte(strings.Replace(strings.TrimSuffix(string(r.Flash), "]")+`,["caddy","hello"]]`, "[,", "[", 1))
		if payload, err = (securecookie.Codec{}).Encode(&r); err != nil {
			t.Fatalf("cookie %d: %v", i, err)
		}
		made[i] = signer.Seal(payload, time.Now())
	}
	input, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	if out := run(string(input), "compare"); string(out) != "same\n" || len(made) != 200 {
		t.Errorf("Python reports %q for %d sessions", out, len(made))
	}
}
