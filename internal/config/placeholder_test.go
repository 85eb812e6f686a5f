package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fails checks that err contains want and no secret.
func fails(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "to-find") {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("TEST_PLACEHOLDER", "from {the} environment")
	t.Setenv("TEST_LINE", "line\n")
	for text, want := range map[string]string{
		"":                               "",
		"plain":                          "plain",
		"plain\n":                        "plain\n",
		`\{sess\}:`:                      "{sess}:",
		"{env.TEST_PLACEHOLDER}!":        "from {the} environment!",
		`{env.TEST_PLACEHOLDER}\}`:       "from {the} environment}",
		"{env.TEST_LINE}":                "line\n",
		"one } and { another":            "one } and { another",
		"{system.slash}":                 "/",
		file("none", "one"):              "one",
		file("one", "one\n"):             "one",
		file("two", "one\r\n\n"):         "one",
		file("inside", "one\ntwo\n\n"):   "one\ntwo",
		"x" + file("mid", "a\n\n") + "x": "xax",
		file("blank", " one \n"):         " one ",
	} {
		if got, err := Resolve("option", text); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	const braces = `option: unknown placeholder in braces; write literal braces as \{ and \}`
	for text, want := range map[string]string{
		"{sess}:":                          braces,
		"to-find{to-find}to-find":          braces,
		"{http.vars.to-find}":              braces,
		"{system.to-find}":                 braces,
		"{}":                               braces,
		strings.Repeat("{to-find", 200):    braces,
		"{env.TEST_NO_SUCH_NAME}":          "option: the placeholder {env.TEST_NO_SUCH_NAME} resolves to nothing",
		"{file./does/not/exist}":           "option: the placeholder {file./does/not/exist} resolves to nothing",
		"to-find{env.TEST_NOT_SET}to-find": "option: the placeholder {env.TEST_NOT_SET} resolves to nothing",
		file("empty", ""):                  "empty} resolves to nothing",
		file("lines", "\r\n\n"):            "lines} resolves to nothing",
	} {
		_, err := Resolve("option", text)
		fails(t, text, err, want)
	}
}

func TestResolveAll(t *testing.T) {
	t.Setenv("TEST_NAME", "alice")
	var name, prefix string
	if err := ResolveAll(From("username", "{env.TEST_NAME}", &name), From("key_prefix", "a:", &prefix)); err != nil || name != "alice" || prefix != "a:" {
		t.Errorf("%q %q %v", name, prefix, err)
	}
	err := ResolveAll(From("username", "x", &name), From("password", "to-find{x}", &prefix))
	fails(t, "unknown", err, "password: unknown placeholder in braces")
}

func TestKeys(t *testing.T) {
	t.Setenv("TEST_KEY", "key")
	if keys, err := Keys("secret", []string{"{env.TEST_KEY}", "old"}); err != nil || !slices.Equal(keys, []string{"key", "old"}) {
		t.Errorf("%q %v", keys, err)
	}
	for want, texts := range map[string][]string{
		"secret: key 2 of 2: the placeholder {env.TEST_NO_SUCH_KEY} resolves to nothing": {"to-find", "{env.TEST_NO_SUCH_KEY}"},
		"secret: key 1 of 1 is empty":                       {""},
		"secret: key 1 of 2: unknown placeholder in braces": {"{to-find}", "to-find"},
	} {
		_, err := Keys("secret", texts)
		fails(t, want, err, want)
	}
}

func TestPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("TEST_DIR", dir)
	for text, want := range map[string]string{
		"":                     "de{fault}",
		"real":                 "real",
		"link":                 "real",
		"{env.TEST_DIR}/link":  "real",
		"link/new":             "real/new",
		"./link/../real/new":   "real/new",
		"no/such/folder":       "no/such/folder",
		dir + "/real/../other": "other",
	} {
		if got, err := Path("path", text, "de{fault}"); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	_, err = Path("path", "{to-find}", "x")
	fails(t, "unknown", err, "path: unknown placeholder in braces")
}
