package http_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/signer"
	"github.com/caddy-session/caddy-session/test/harness"
)

// A cookie of Flask 3.1.3, a cookie and a record of Flask-Session, all from an app with this
// secret.
const (
	appSecret    = "correct horse battery staple"
	flaskCookie  = "eyJuYW1lIjoiWm9cdTAwZWIiLCJ1c2VyX2lkIjo0Mn0.ZVPxAA.YIYQuv4CPMbC6h5AcaJwgLjECCE"
	signedSID    = "fe8977c2-34a9-4945-acc0-6c6821944b9f.tDexCQtkBvLdfobuQ3iIpdZWJAU"
	pickled      = "\x80\x04\x95\x22\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\n_permanent\x94\x88\x8c\x03uid\x94\x8c\x06bmakan\x94u."
	withMessages = `{"_permanent":false,"_flashes":[["info","hi"]],"a":"` + "\x1b" + `"}`
)

// signed returns a cookie of ours.
func signed(t *testing.T, key string) string {
	t.Helper()
	s, err := signer.New(signer.Options{Keys: [][]byte{[]byte(key)}, Salt: "caddy-session"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Sign(sessionstore.NewID())
}

func TestInspect(t *testing.T) {
	longtest.Test(t)
	c := harness.Start(t, "http://$ADDR {\n session {\n secret \"the secret of the inspected\"\n }\n respond ok\n}\n")
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	for path, text := range map[string]string{right: appSecret + "\n", wrong: "another secret\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	created := time.Now().Add(-time.Hour)
	native, err := sessionstore.Native{}.Encode(&sessionstore.Record{Created: created, Idle: time.Hour, Data: []byte(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	lasting, err := sessionstore.Native{}.Encode(&sessionstore.Record{
		Created: created, Idle: time.Hour, Keep: 336 * time.Hour, Browser: "the-token", BrowserSeen: true, Data: []byte(`{"a":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	index, err := sessionstore.Native{}.Encode(&sessionstore.Record{State: sessionstore.Index, Created: created, UserField: "user", User: "zoe", Data: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	file := string(binary.NativeEndian.AppendUint32(nil, 4000000000)) + pickled
	for name, test := range map[string]struct {
		args  []string
		input string
		want  []string
		fails bool
	}{
		"a cookie of Flask": {[]string{"--dialect", "flask", "--secret-file", wrong, "--secret-file", right}, "session=" + flaskCookie + "\n",
			[]string{"signature: valid, by a secret that is not the first", "made: 2023-11-14T22:13:20Z", `data: {"name":"Zo\u00eb","user_id":42}`}, false},
		"of another app": {[]string{"--dialect", "flask", "--secret-file", wrong}, flaskCookie,
			[]string{"problem: none of the secrets", `data: {"name":"Zo\u00eb","user_id":42}`}, true},
		"unchecked":                  {[]string{"--dialect", "flask"}, flaskCookie, []string{"signature: not checked"}, false},
		"of Flask-Session":           {[]string{"--dialect", "flask_session", "--secret-env", "APP_SECRET"}, signedSID, []string{"signature: valid\n"}, false},
		"a pickle":                   {[]string{"--dialect", "flask_session"}, pickled + "\n", []string{"serialization: pickle, protocol 4", "permanent: true", `data: {"uid":"bmakan"}`}, false},
		"a truncated pickle":         {[]string{"--dialect", "flask_session"}, pickled[:40], []string{"problem: the stored record cannot be read: the pickle is truncated"}, true},
		"a file of cachelib's":       {[]string{"--dialect", "flask_session"}, file, []string{"expires at 2096-10-02", `data: {"uid":"bmakan"}`}, false},
		"invalid JSON":               {[]string{"--dialect", "flask_session"}, withMessages, []string{"problem: "}, true},
		"JSON with messages":         {[]string{"--dialect", "flask_session"}, strings.ReplaceAll(withMessages, "\x1b", ""), []string{`messages: [["info","hi"]]`, "permanent: false"}, false},
		"a record of ours":           {nil, string(native), []string{"state: live", "created: ", "idle timeout: 1h0m0s", `data: {"a":1}`}, false},
		"a lasting record of ours":   {nil, string(lasting), []string{"kept for lasting cookies: 336h0m0s", "second cookie: set; the browser has sent it: true"}, false},
		"a list of a user's":         {nil, string(index), []string{"state: a list of the sessions of a user"}, false},
		"half way to another store":  {nil, sessionstore.MovingMark + "c" + string(native), []string{"problem: the stored record cannot be read: it is half way from one store to another"}, true},
		"a damaged record of ours":   {nil, string(native[:len(native)-1]), []string{"problem: the stored record cannot be read: it is damaged"}, true},
		"a cookie of ours":           {[]string{"--secret-file", right}, "caddy_session=" + signed(t, appSecret), []string{"signature: valid\n", "ref: "}, false},
		"by our second key":          {[]string{"--secret-file", wrong, "--secret-file", right}, signed(t, appSecret), []string{"signature: valid, by a secret that is not the first"}, false},
		"by the key of its base64":   {[]string{"--secret-env", "ENCODED"}, signed(t, appSecret), []string{"problem: none of the secrets"}, true},
		"a forged cookie of ours":    {[]string{"--secret-file", right}, signed(t, "another secret!!"), []string{"problem: none of the secrets"}, true},
		"no cookie of ours":          {[]string{"--secret-file", right}, "caddy_session=abc.def", []string{"problem: neither a cookie of this handler"}, true},
		"aaa":                        {nil, "aaa", []string{"problem: neither a cookie of this handler"}, true},
		"aaa of Flask":               {[]string{"--dialect", "flask"}, "aaa", []string{"problem: "}, true},
		"aaa of Flask-Session":       {[]string{"--dialect", "flask_session"}, "aaa", []string{"problem: neither a record nor a cookie"}, true},
		"a cut signature":            {[]string{"--dialect", "flask_session"}, signedSID[:len(signedSID)-1], []string{"problem: neither a record nor a cookie"}, true},
		"by the app's second key":    {[]string{"--dialect", "flask_session", "--secret-file", wrong, "--secret-file", right}, signedSID, []string{"signature: valid, by a secret that is not the first"}, false},
		"without its signature":      {[]string{"--dialect", "flask_session", "--secret-file", right}, signedSID[:36], []string{"problem: no signature"}, true},
		"an unsigned id":             {[]string{"--dialect", "flask_session"}, signedSID[:36], []string{"use_signer off"}, false},
		"nothing":                    {[]string{"--dialect", "flask_session"}, "", []string{"problem: "}, true},
		"no such dialect":            {[]string{"--dialect", "rails"}, "", []string{"there is no dialect"}, true},
		"a secret that is not there": {[]string{"--secret-env", "NO_SUCH"}, "", []string{"NO_SUCH is not set"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := c.Command(append([]string{"session", "inspect"}, test.args...)...)
			cmd.Env = append(cmd.Env, "APP_SECRET="+appSecret, "ENCODED="+base64.StdEncoding.EncodeToString([]byte(appSecret)))
			cmd.Stdin = strings.NewReader(test.input)
			out, err := cmd.CombinedOutput()
			if (err != nil) != test.fails {
				t.Errorf("%v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("output lacks %q", want)
				}
			}
			for _, never := range []string{appSecret, "another secret", "fe8977c2", "the-token", "\x1b"} {
				if bytes.Contains(out, []byte(never)) {
					t.Errorf("output has %q", never)
				}
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}
