package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The same placeholders work, and the same fail, in the options of every module.
func TestPlaceholdersAreResolvedOneWay(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("SESSION_TEST_EMPTY", "")
	const braces = `unknown placeholder in braces; write literal braces as \{ and \}`
	good := file("good", "0123456789abcdef\r\n\n")
	for where, text := range map[string]string{
		"secret: key 2 of 2":                "store memory\nsecret " + testSecret + " %",
		"name":                              "store memory %",
		"path":                              "store bolt %",
		"directory":                         "store file %",
		"address":                           "store redis %",
		"username":                          "store redis {\nusername %\npassword p\n}",
		"password":                          "store redis {\npassword %\n}",
		"master":                            "store redis {\nmaster %\n}",
		"sentinel_username":                 "store redis {\nmaster m\nsentinel_username %\nsentinel_password p\n}",
		"sentinel_password":                 "store redis {\nmaster m\nsentinel_password %\n}",
		"key_prefix":                        "store redis {\nkey_prefix %\n}",
		"tls: server_name":                  "store redis {\ntls {\nserver_name %\n}\n}",
		"dialect flask: secret: key 1 of 1": "dialect flask {\nsecret %\n}",
		"dialect flask_session: secret: key 1 of 1": "store redis\ndialect flask_session {\nuse_signer on\nsecret %\n}",
		"adopt flask: secret: key 1 of 2":           "store memory\nadopt flask {\nsecret % other\n}",
	} {
		if _, err := provision(t, strings.ReplaceAll(text, "%", good)); err != nil {
			t.Errorf("%s: line breaks at the end of a file: %v", where, err)
		}
		for placeholder, want := range map[string]string{
			"{to-find}":                braces,
			"to-find{http.to-find}":    braces,
			"{env.SESSION_TEST_EMPTY}": "the placeholder {env.SESSION_TEST_EMPTY} resolves to nothing",
			"{env.SESSION_TEST_NOPE}":  "the placeholder {env.SESSION_TEST_NOPE} resolves to nothing",
			"{file./nowhere/at-all}":   "the placeholder {file./nowhere/at-all} resolves to nothing",
			file("empty", "\n\r\n"):    "empty} resolves to nothing",
			"to-find{file./nowhere}":   "the placeholder {file./nowhere} resolves to nothing",
		} {
			_, err := provision(t, strings.ReplaceAll(text, "%", placeholder))
			if err == nil || !strings.Contains(err.Error(), where+": ") || !strings.HasSuffix(err.Error(), want) ||
				strings.Contains(err.Error(), "to-find") {
				t.Errorf("%s with %s: %v", where, placeholder, err)
			}
		}
	}
}

// A placeholder in an option that knows none is no text: sites with the same one would share their
// sessions, and no browser would send the cookie to such a path.
func TestNoPlaceholderIsTakenAsText(t *testing.T) {
	for _, text := range []string{"scope {env.SITE}", "cookie {\npath /{env.APP}\n}"} {
		if _, err := provision(t, inMemory(t, text)); err == nil || !strings.Contains(err.Error(), "placeholders do not work here") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
