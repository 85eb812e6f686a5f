// Package readings_test checks that servers read no vaulted name in what is left of a client's
// cookies.
package readings_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/test/harness"
)

var vaulted = []string{"PHPSESSID", "adminer_sid", "app_*", "*_session", "a*b*c"}

// cleaner returns a function that removes the vaulted names from a Cookie header.
func cleaner(t *testing.T) func(header string) string {
	t.Helper()
	c := &caddymodule.Clean{Headers: []string{"X-Session-Data"}, Vault: vaulted, Cookies: []string{"caddy_session"}}
	if err := c.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	server := new(caddyhttp.Server)
	return func(header string) (left string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{header}
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, server)
		err := c.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			left = strings.Join(r.Header["Cookie"], "; ")
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
}

// parser returns the names that each parser of a program reads in a Cookie header.
type parser func(header string) map[string][]string

// program starts a program that answers each hexadecimal line with a line of JSON.
func program(t *testing.T, path string, args ...string) parser {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	return func(header string) (names map[string][]string) {
		if _, err := io.WriteString(in, hex.EncodeToString([]byte(header))+"\n"); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &names)
		}
		if err != nil {
			t.Fatalf("%s on %q: %v", path, header, err)
		}
		return names
	}
}

func parsers(t *testing.T) []parser {
	t.Helper()
	python := filepath.Join(harness.Root(), "test", ".venvs", "cookies", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		harness.Missing(t, "the Python with libraries that read cookies")
	}
	golang := func(header string) map[string][]string {
		var names []string
		for _, c := range (&http.Request{Header: http.Header{"Cookie": {header}}}).Cookies() {
			names = append(names, c.Name)
		}
		return map[string][]string{"net/http": names}
	}
	return []parser{golang, program(t, python, "names.py"), program(t, harness.Node(t), "names.mjs"), program(t, harness.Program(t, "ruby"), "names.rb"), tomcat(t)}
}

// tomcat returns the names that Tomcat reads, as it is configured by itself, and with the processor
// of former versions.
func tomcat(t *testing.T) parser {
	t.Helper()
	var jars []string
	for _, name := range []string{"util", "coyote", "juli", "servlet-api"} {
		jar := "/usr/share/java/tomcat9-" + name + ".jar"
		if _, err := os.Stat(jar); err != nil {
			harness.Missing(t, jar)
		}
		jars = append(jars, jar)
	}
	_ = harness.Program(t, "javac") // Java runs a source with it
	return program(t, harness.Program(t, "java"), "-cp", strings.Join(jars, ":"), "Names.java")
}

// php returns the names that PHP reads. It starts a process for each header.
func php(t *testing.T) parser {
	t.Helper()
	path := harness.Program(t, "php-cgi")
	script, err := filepath.Abs("names.php")
	if err != nil {
		t.Fatal(err)
	}
	return func(header string) map[string][]string {
		cmd := exec.CommandContext(t.Context(), path, "-q", "-n")
		cmd.Env = []string{"GATEWAY_INTERFACE=CGI/1.1", "REDIRECT_STATUS=200", "REQUEST_METHOD=GET", "SCRIPT_FILENAME=" + script, "HTTP_COOKIE=" + header}
		out, err := cmd.Output()
		var names []string
		if err == nil {
			_, body, _ := bytes.Cut(out, []byte("\r\n\r\n"))
			err = json.Unmarshal(body, &names)
		}
		if err != nil {
			t.Fatalf("PHP on %q: %v, %.200s", header, err, out)
		}
		return map[string][]string{"PHP": names}
	}
}

// evil returns the parsers that read a vaulted name, and that name.
func evil(t *testing.T, header string, parsers []parser) (found []string) {
	t.Helper()
	patterns, err := vault.NewPatterns(vaulted, "caddy_session")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parsers {
		for parser, names := range p(header) {
			for _, name := range names {
				if patterns.Match(name) {
					found = append(found, fmt.Sprintf("%s reads %q", parser, name))
				}
			}
		}
	}
	return found
}

// Inputs that a real parser is known to read as a vaulted name.
func TestAttackKnownReadings(t *testing.T) {
	all, clean := append(parsers(t), php(t)), cleaner(t)
	for header, parser := range map[string]string{
		"a=b PHPSESSID=evil":                         "bottle",
		"a=b,PHPSESSID=evil":                         "Tomcat, legacy",
		"a=b\tPHPSESSID=evil":                        "http.cookies",
		"x=y; a=b PHPSESSID = evil":                  "aiohttp",
		`a="b"PHPSESSID=evil`:                        "webob",
		"a[PHPSESSID=evil":                           "webob",
		"a=\xe9PHPSESSID=evil":                       "webob",
		`\PHPSESSID=evil`:                            "webob",
		"a=Thu, 01-Jan-1970 00:00:00 GMTPHPSESSID=x": "webob",
		`a="; b="PHPSESSID=x"`:                       "webob",
		`a=b\;c="PHPSESSID=x"`:                       "webob",
		"adminer.sid=evil":                           "PHP",
		"adminer[sid=evil":                           "PHP",
		"PHPSESSID[0]=evil":                          "PHP",
		"app =evil":                                  "PHP",
		"a,b,c=evil":                                 "cookie",
		"PHPSESSID\xa0=evil":                         "tornado",
		" \tPHPSESSID\t=evil":                        "werkzeug",
		"a\tPHPSESSID\xa0=evil":                      "aiohttp",
	} {
		before := strings.Join(evil(t, header, all), ", ")
		if !strings.Contains(before, parser+" reads") {
			t.Errorf("%q: %s does not read a vaulted name: %s", header, parser, before)
		}
		left := clean(header)
		for _, front := range []string{"", "adminer=1; "} {
			if found := evil(t, front+left, all); found != nil {
				t.Errorf("%q was reduced to %q: %v", header, front+left, found)
			}
		}
	}
}

// fragments are the parts of random headers.
var fragments = strings.Split("PHPSESSID|phpsessid|adminer_sid|adminer.sid|app_|app_x|x_session|_session|aXbXc|a|b|c|x|=|=|=|=|==|;|;|; |;;| |  |\t|,|, |\"|\"|\\|\\\"|[|]|[0]|(|)|{|}|:|/|?|@|<|>|$|%|%20|%00|%50|%5f|+|.|_|&|'|\xa0|\xe9|\xc3\xa9|\x85|GMT|Thu, 01-Jan-1970 00:00:00 GMT|expires=|path=/|$Version=1|1|true", "|")

func random(source *rand.Rand) string {
	var header strings.Builder
	for range 1 + source.IntN(16) {
		header.WriteString(fragments[source.IntN(len(fragments))])
	}
	return strings.Trim(header.String(), " \t")
}

// No parser reads a vaulted name in what is left of random headers.
func TestAttackRandomCookies(t *testing.T) {
	all, clean := parsers(t), cleaner(t)
	slow := php(t)
	rounds := 20000
	if !longtest.All() {
		rounds = 2000
	}
	source, read := rand.New(rand.NewPCG(1, 2)), 0
	for i := range rounds {
		header := random(source)
		left := clean(header)
		ask := all
		if i%200 == 0 {
			ask = append(slices.Clip(all), slow)
		}
		if found := evil(t, left, ask); found != nil {
			t.Errorf("%q was reduced to %q: %v", header, left, found)
		}
		if left != header {
			read++
		}
	}
	if read < rounds/10 || read > rounds*9/10 {
		t.Errorf("%d of %d headers were reduced", read, rounds)
	}
}
