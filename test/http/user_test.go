package http_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

const whoScript = `<?php
if (isset($_GET['user'])) header('X-Session-Update: ' . json_encode(['user' => $_GET['user']]));
if (isset($_GET['shop'])) header('X-Session-Shop-Update: ' . json_encode(['user' => $_GET['shop']]));
echo $_SERVER['REMOTE_USER'] ?? '';
`

// hash returns the hash of a password, as basic_auth takes it. The usual cost would take a minute
// with the race detector.
func hash(t *testing.T, password string) string {
	t.Helper()
	out, err := exec.Command(harness.Binary(t), "hash-password", "--bcrypt-cost", "4", "--plaintext", password).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// loggedUsers returns the user_id fields of the access log.
func loggedUsers(c *harness.Caddy) (users []string) {
	for line := range strings.Lines(c.Log()) {
		var entry struct {
			Msg  string
			User string `json:"user_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "handled request" {
			users = append(users, entry.User)
		}
	}
	return users
}

// An app that trusts REMOTE_USER sees who has logged in to the session, and no client can say
// another name by a header.
func TestRemoteUserOfPHP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, script := range map[string]string{"index.php": whoScript, "basic.php": whoScript, "two.php": whoScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr := harness.StartFPM(t).Addr
	c := start(t, `
http://$ADDR {
	log
	root `+dir+`
	@basic path /basic.php
	@two path /two.php
	route {
		basic_auth @basic {
			alice `+hash(t, "hiccup")+`
		}
		session @two {
			name shop
			store memory shop
			secret $SECRET
			user user authenticate
		}
		session {
			store memory
			secret $SECRET
			user user authenticate
		}
		php_fastcgi `+addr+`
	}
}`)
	b := visit(t, c)
	forged := []string{"Remote-User", "Remote_User", "REMOTE_USER", "Http-Remote-User", "Auth-User"}
	who := func(b *browser, path, want string) {
		t.Helper()
		r := b.request(http.MethodGet, path, nil)
		for _, name := range forged {
			r.Header[name] = []string{"admin"}
		}
		if reply := b.send(r).want(http.StatusOK); string(reply.body) != want {
			t.Errorf("%s: REMOTE_USER is %q, want %q", path, reply.body, want)
		}
	}
	who(b, "/", "")
	who(b, "/?user=zoe", "") // the user is whom the request has found
	who(b, "/", "zoe")
	// What basic_auth says before stays.
	who(b.with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("alice:hiccup"))), "/basic.php", "alice")
	// The inner one of two sessions says who it is.
	who(b, "/two.php?shop=customer", "zoe")
	who(b, "/two.php", "zoe")
	other := visit(t, c)
	who(other, "/two.php?shop=customer", "")
	who(other, "/two.php", "")
	want := []string{"", "", "zoe", "alice", "zoe", "zoe", "", ""}
	eventually(t, "the access log says who it was", func() bool {
		return strings.Join(loggedUsers(c), ",") == strings.Join(want, ",")
	})
}
