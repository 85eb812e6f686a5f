package command

import (
	"strings"
	"testing"

	_ "github.com/caddy-session/caddy-session/frameworks/php"
)

// A record of PHP may have no character that a cookie could not have but those of its own syntax.
func TestInspectAPrintableRecord(t *testing.T) {
	inspector, err := inspectorOf("php")
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`user|s:3:"zoe";token|s:8:"YWJjZA==";`:                `data: {"user":"zoe","token":"YWJjZA=="}`,
		`token|s:8:"YWJjZA==";` + "\n":                        `data: {"token":"YWJjZA=="}`,
		`way|s:6:"/%41?a";`:                                   `data: {"way":"/%41?a"}`,
		`a:1:{s:3:"way";s:3:"a=b";}`:                          `data: {"way":"a=b"}`,
		"PHPSESSID=" + strings.Repeat("a", 26) + "\n":         "cookie: an id of 26 characters",
		"PHPSESSID=" + strings.Repeat("a", 25) + "%2C" + "\n": "cookie: an id of 26 characters",
		strings.Repeat("a", 26):                               "cookie: an id of 26 characters",
	} {
		report := inspect(inspector, []byte(input), nil)
		var text strings.Builder
		if err := report.Write(&text); err != nil || !report.Fine() || !strings.Contains(text.String(), want) {
			t.Errorf("%s: %s", input, text.String())
		}
	}
}
