package signer_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/signer"
)

// flaskOptions are those with which Flask signs its own cookie.
func flaskOptions(secrets ...string) signer.Options {
	return signer.Options{Keys: keys(secrets...), Salt: "cookie-session", Digest: signer.SHA1, Derivation: signer.DeriveHMAC}
}

func mustTimed(tb testing.TB, options signer.Options) *signer.Timed {
	tb.Helper()
	s, err := signer.NewTimed(options)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Cookies of Flask 3.1.3, made with the clock at 1700000000.
var flaskCookies = []struct{ payload, cookie string }{
	{"eyJuYW1lIjoiWm9cdTAwZWIiLCJ1c2VyX2lkIjo0Mn0", "eyJuYW1lIjoiWm9cdTAwZWIiLCJ1c2VyX2lkIjo0Mn0.ZVPxAA.YIYQuv4CPMbC6h5AcaJwgLjECCE"},
	{".eJyrVkrKTFeyUqoYJkCpFgBptWCt", ".eJyrVkrKTFeyUqoYJkCpFgBptWCt.ZVPxAA.C83xmuNr-woIpSdvuSsew9WIVjU"},
}

const flaskSecret = "correct horse battery staple"

func TestTimedFlask(t *testing.T) {
	at := time.Unix(1700000000, 0)
	first, second := mustTimed(t, flaskOptions(flaskSecret)), mustTimed(t, flaskOptions("another", flaskSecret))
	for _, c := range flaskCookies {
		if signed := first.Sign(c.payload, at.Add(999*time.Millisecond)); signed != c.cookie {
			t.Errorf("signed %s, want %s", signed, c.cookie)
		}
		for s, stale := range map[*signer.Timed]bool{first: false, second: true} {
			value, when, isStale, ok := s.Verify(c.cookie)
			if value != c.payload || !when.Equal(at) || isStale != stale || !ok {
				t.Errorf("%s: value %q at %v, stale %t, ok %t", c.cookie, value, when, isStale, ok)
			}
		}
	}
}

func TestTimedRefuses(t *testing.T) {
	s := mustTimed(t, flaskOptions(flaskSecret))
	plain := mustNew(t, flaskOptions(flaskSecret))
	good := s.Sign("value", time.Unix(1700000000, 0))
	for name, signed := range map[string]string{
		"nothing":            "",
		"no time":            plain.Sign("value"),
		"a time of 9 bytes":  plain.Sign("value.AQAAAAAAAAAA"),
		"a time beyond 9999": plain.Sign("value.______8"),
		"no base64":          plain.Sign("value.ZVPxA!"),
		"another salt":       mustTimed(t, signer.Options{Keys: keys(flaskSecret), Salt: "other", Digest: signer.SHA1}).Sign("value", time.Unix(1, 0)),
		"another time":       strings.Replace(good, ".ZVPxAA.", ".ZVPxAB.", 1),
		"truncated":          good[:len(good)-1],
	} {
		if value, at, stale, ok := s.Verify(signed); ok || value != "" || stale || !at.IsZero() {
			t.Errorf("%s: value %q at %v, stale %t, ok %t", name, value, at, stale, ok)
		}
	}
	if _, err := signer.NewTimed(signer.Options{}); err == nil {
		t.Error("a signer without keys")
	}
}

func TestTimedLivePython(t *testing.T) {
	python := os.Getenv("SESSION_TEST_PYTHON")
	if python == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with itsdangerous")
		}
		t.Skip("SESSION_TEST_PYTHON is not set; test/run.sh sets it")
	}
	const program = `
import hashlib, json, sys
from itsdangerous import TimestampSigner
signer = TimestampSigner("key", salt="cookie-session", key_derivation="hmac", digest_method=hashlib.sha1)
cases = json.load(sys.stdin)
json.dump([[*(lambda v, at: (v.decode(), at.timestamp()))(*signer.unsign(c, return_timestamp=True)), signer.sign("again." + c).decode()] for c in cases], sys.stdout)
`
	s := mustTimed(t, flaskOptions("key"))
	times := []int64{0, 1, 255, 256, 1 << 31, 1 << 32, 1700000000}
	var cases []string
	for _, at := range times {
		cases = append(cases, s.Sign("a.value", time.Unix(at, 0)))
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "-c", program)
	command.Stdin, command.Stderr = strings.NewReader(string(input)), os.Stderr
	began := time.Now().Truncate(time.Second)
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers [][3]any
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a[0] != "a.value" || a[1] != float64(times[i]) {
			t.Errorf("Python reads %v, want a.value at %d", a[:2], times[i])
		}
		value, at, stale, ok := s.Verify(a[2].(string))
		if value != "again."+cases[i] || at.Before(began) || stale || !ok {
			t.Errorf("value %q at %v, stale %t, ok %t", value, at, stale, ok)
		}
	}
	if len(answers) != len(cases) {
		t.Errorf("%d answers to %d cases", len(answers), len(cases))
	}
}
