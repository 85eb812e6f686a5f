package placeholders

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_PLACEHOLDER", "from {the} environment")
	for text, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		`\{sess\}:`:                "{sess}:",
		"{env.TEST_PLACEHOLDER}!":  "from {the} environment!",
		"{file." + path + "}":      "from the file",
		"one } and { another":      "one } and { another",
		`{env.TEST_PLACEHOLDER}\}`: "from {the} environment}",
	} {
		if got, err := Resolve(text); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"{sess}:":                   `write braces that belong to the text as \{ and \}`,
		"s3cret{to-find}s3cret":     `write braces that belong to the text as \{ and \}`,
		"{http.vars.to-find}":       `write braces that belong to the text as \{ and \}`,
		"{env.TEST_NO_SUCH_NAME}":   "{env.TEST_NO_SUCH_NAME}",
		"{file./does/not/exist}":    "{file./does/not/exist}",
		"to-find{env.TEST_NOT_SET}": "{env.TEST_NOT_SET}",
	} {
		_, err := Resolve(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "to-find") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
