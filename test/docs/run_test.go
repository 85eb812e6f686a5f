package docs_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// program says how the documentation's programs are started and how they are told from fragments.
var program = map[string]struct {
	file, begins string
	start        func(t *testing.T, host, port string) *exec.Cmd
}{
	"python": {"app.py", "import ", func(t *testing.T, host, port string) *exec.Cmd {
		return exec.Command(harness.Python(t), "-m", "flask", "run", "--host", host, "--port", port)
	}},
	"php": {"index.php", "<?php\n", func(t *testing.T, host, port string) *exec.Cmd {
		return exec.Command(harness.Program(t, "php"), "-S", net.JoinHostPort(host, port), "index.php")
	}},
	"js": {"app.js", "const http = require(", func(t *testing.T, _, _ string) *exec.Cmd {
		return exec.Command(harness.Node(t), "app.js")
	}},
}

// visits are the requests to a program and the expected responses.
var visits = map[string][]visit{
	"README.md python": {{"/", nil, "You were here 0 times before."}, {"/", nil, "You were here 1 times before."}},
	"docs/headers.md python": {
		{"/", nil, "You were here 0 times before."}, {"/", nil, "You were here 1 times before."},
	},
	"docs/headers.md php": {
		{"/", nil, "Hello stranger"},
		{"/", url.Values{"name": {"Zoë <3"}}, "Hello Zoë &lt;3"},
		{"/", nil, "Hello Zoë &lt;3"},
	},
	"docs/headers.md js": {
		{"/", nil, "Hello stranger\n"}, {"/logout", url.Values{}, "You are logged out.\nHello stranger\n"}, {"/", nil, "Hello stranger\n"},
	},
	"docs/login.md python": {
		{"/", nil, `<form method="post">Name`},
		{"/login?next=%2F", url.Values{"user": {"zoe"}}, "Only for those who are logged in"},
		{"/", nil, "Only for those who are logged in"},
		{"/logout", url.Values{}, `<form method="post">Name`},
		{"/", nil, `<form method="post">Name`},
	},
	"docs/frameworks/flask.md python": {
		{"/", nil, "Visit number 1\n"}, {"/seen", nil, "Caddy sees visit number 1"}, {"/", nil, "Visit number 2\n"},
		{"/seen", nil, "Caddy sees visit number 2"},
	},
	"docs/vault-and-adopt.md php": {{"/", nil, "Visit number 1\n"}, {"/", nil, "Visit number 2\n"}},
}

type visit struct {
	path string
	form url.Values
	want string
}

// TestPrograms runs every program of the documentation, but those of docs/start, behind the first
// Caddyfile of its page. The browser must have no cookie but ours, unless the app shares its own.
func TestPrograms(t *testing.T) {
	t.Parallel()
	sites := make(map[string]string)
	for _, example := range docs.Examples(t, "caddyfile") {
		if sites[example.Page.Path] == "" {
			sites[example.Page.Path] = site(example.Text)
		}
	}
	ran := make(map[string]bool)
	for _, example := range docs.Examples(t, "") {
		p, known := program[example.Language]
		if !known || !strings.HasPrefix(example.Text, p.begins) || strings.HasPrefix(example.Page.Path, "docs/start/") { // TestStart follows those
			continue
		}
		name := example.Page.Path + " " + example.Language
		ran[name] = true
		t.Run(fmt.Sprintf("%s:%d", name, example.Line), func(t *testing.T) {
			t.Parallel()
			dir, addr := t.TempDir(), harness.FreeAddr(t)
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, p.file), strings.ReplaceAll(example.Text, "listen(9000, 'localhost')", "listen("+port+", '"+host+"')"))
			cmd := p.start(t, host, port)
			cmd.Dir = dir
			harness.Serve(t, name, addr, cmd)
			caddyfile := strings.NewReplacer("http://localhost:8080", "http://$ADDR", "localhost:9000", addr).Replace(sites[example.Page.Path])
			c := harness.Start(t, harness.Patient(caddyfile))
			client := harness.Client(t)
			if visits[name] == nil {
				t.Error("no visits for this program")
			}
			for _, v := range visits[name] {
				if got := v.by(t, client, c.URL); !strings.Contains(got, v.want) {
					t.Errorf("%s %v: %q, want %q", v.path, v.form, got, v.want)
				}
			}
			base, err := url.Parse(c.URL)
			if err != nil {
				t.Fatal(err)
			}
			shared := strings.Contains(sites[example.Page.Path], "dialect flask")
			if cookies := client.Jar.Cookies(base); len(cookies) > 1 || len(cookies) == 1 && cookies[0].Name != "caddy_session" && !shared {
				t.Errorf("the browser has %v", cookies)
			}
		})
	}
	for name := range visits {
		if !ran[name] {
			t.Errorf("no program %s", name)
		}
	}
}

// by makes the request and follows redirects.
func (v visit) by(t *testing.T, client *http.Client, base string) string {
	t.Helper()
	client.CheckRedirect = nil
	method := http.MethodGet
	if v.form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, base+v.path, strings.NewReader(v.form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html") // like a browser's navigation
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", v.path, resp.Status, err)
	}
	return string(body)
}

// TestLateInAShell runs the lines with which docs/headers.md changes a session after the response.
func TestLateInAShell(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"curl", "openssl"} {
		harness.Program(t, name)
	}
	c := harness.Start(t, fmt.Sprintf("http://$ADDR {\n\tsession {\n\t\tstore_timeout 30s\n\t\tlate {env.LATE_KEY} {\n\t\t\tlisten %s\n\t\t}\n\t}\n\treverse_proxy %s\n}\n",
		harness.FreeAddr(t), harness.Backend(t, harness.Echo)))
	client := harness.Client(t)
	answer := visit{"/?X-Session-Update=" + url.QueryEscape(`{"n":1}`), nil, ""}.by(t, client, c.URL)
	found := regexp.MustCompile(`(?m)^X-Session-Late: (\S+)`).FindStringSubmatch(answer)
	if found == nil {
		t.Fatalf("there is no URL: %s", answer)
	}
	script := docs.Between(t, "of the URL, a line feed and the body, in hexadecimal digits:\n\n```sh\n", "```")
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Env = append(os.Environ(), "url="+found[1])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := (visit{"/", nil, ""}).by(t, client, c.URL); !strings.Contains(got, `X-Session-Data: {"n":1,"report":"done"}`) {
		t.Errorf("the session is not changed: %s", got)
	}
}
