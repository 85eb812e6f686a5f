package docs_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// needs are the programs that a page of docs/start needs besides the environments of the tests.
var needs = map[string]string{"java.md": "java", "php.md": "php", "login.md": "php", "many.md": "php", "rails.md": "puma", "laravel.md": "php"}

// TestStart follows each page of docs/start to the letter: it saves the files that the page says to
// save, starts what it says to start, and compares what the commands of its console print. Only the
// ports are others, and sessions wait for their store as long as a busy machine needs.
func TestStart(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, page := range docs.Pages(t) {
		if strings.HasPrefix(page.Path, "docs/start/") {
			pages = append(pages, page.Path)
		}
	}
	if len(pages) < 10 {
		t.Errorf("found only %v", pages)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			if name := needs[filepath.Base(page)]; name != "" {
				harness.Program(t, name)
			}
			if _, err := os.Stat("/usr/share/php/Illuminate"); err != nil && filepath.Base(page) == "laravel.md" {
				harness.Missing(t, "php-laravel-framework")
			}
			harness.Node(t)
			r := &reader{T: t, page: page, dir: t.TempDir(), ports: otherPorts(t)}
			r.follow()
		})
	}
}

// TestStartBeginsInAnEmptyFolder has the reader in the folder before anything is installed into it.
func TestStartBeginsInAnEmptyFolder(t *testing.T) {
	t.Parallel()
	for _, page := range docs.Pages(t) {
		if !strings.HasPrefix(page.Path, "docs/start/") {
			continue
		}
		folder, need := strings.Index(page.Text, "Work in an empty folder"), strings.Index(page.Text, "You need Caddy")
		if folder < 0 || need < folder || strings.Contains(page.Text[:folder], "install ") {
			t.Errorf("%s installs before the reader is in a folder", page.Path)
		}
	}
}

// reader is somebody who follows a page.
type reader struct {
	*testing.T
	page, dir string
	ports     map[string]string // by the page's
	servers   int
	running   bool // Caddy
}

// otherPorts returns free ports for those of the pages.
func otherPorts(t *testing.T) map[string]string {
	t.Helper()
	ports := make(map[string]string)
	for _, port := range []string{"8080", "9000", "9001", "9002"} {
		_, free, err := net.SplitHostPort(harness.FreeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		ports[port] = free
	}
	return ports
}

// withPorts replaces all ports at once: a new one, such as 19000, may contain an old one.
func withPorts(text string, ports map[string]string) string {
	var pairs []string
	for page, free := range ports {
		pairs = append(pairs, page, free)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// TestPortWithinAPort has new ports that contain the ports of the pages.
func TestPortWithinAPort(t *testing.T) {
	t.Parallel()
	ports := map[string]string{"8080": "19000", "9000": "19001", "9001": "19002", "9002": "18080"}
	for range 20 { // the order of a map is another each time
		if got := withPorts("8080 9000 9001 9002", ports); got != "19000 19001 19002 18080" {
			t.Fatalf("the ports are %s", got)
		}
	}
}

var saveAs = regexp.MustCompile("[Ss]ave (?:it|this) as `([^`]+)`")

func (r *reader) follow() {
	r.Helper()
	lines := strings.Split(docs.Named(r, r.page), "\n")
	compared := 0
	for _, example := range docs.Examples(r, "") {
		if example.Page.Path != r.page {
			continue
		}
		before := ""
		for i := example.Line - 3; i >= 0 && lines[i] != "```"; i-- {
			before = lines[i] + " " + before
		}
		code := withPorts(example.Text, r.ports)
		switch file := saveAs.FindStringSubmatch(before); {
		case file != nil:
			if example.Language == "caddyfile" {
				code = harness.Patient(code)
			}
			write(r.T, filepath.Join(r.dir, file[1]), code)
		case example.Language == "sh" && !r.running:
			r.start(code)
		case example.Language == "sh":
			r.run(code)
		case example.Language == "console":
			compared += r.compare(code)
		case example.Language == "caddyfile" && compared == 0:
			r.Errorf("%s:%d: nothing says to save this", r.page, example.Line)
		}
	}
	if compared < 2 {
		r.Errorf("%s: compared %d commands", r.page, compared)
	}
}

// start runs a server until the test ends: Caddy, or the app on the page's next port from 9000.
func (r *reader) start(script string) {
	r.Helper()
	port := r.ports["900"+string(rune('0'+r.servers))]
	if strings.HasSuffix(script, "caddy run\n") {
		port, r.running = r.ports["8080"], true
	}
	r.servers++
	lines := strings.Split(strings.TrimSpace(script), "\n")
	lines[len(lines)-1] = "exec " + lines[len(lines)-1]
	// Apps listen on localhost, which is ::1 on some machines and 127.0.0.1 on others.
	harness.Serve(r, lines[len(lines)-1], "localhost:"+port, r.command(strings.Join(lines, "\n")))
}

// command returns a script that runs in the reader's folder, with Caddy and the environments of the
// tests in the path.
func (r *reader) command(script string) *exec.Cmd {
	r.Helper()
	bin := filepath.Join(r.dir, "bin")
	if _, err := os.Stat(bin); err != nil {
		if err := os.Mkdir(bin, 0o700); err != nil {
			r.Fatal(err)
		}
		if err := os.Symlink(harness.Binary(r), filepath.Join(bin, "caddy")); err != nil {
			r.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = r.dir
	python := filepath.Dir(harness.Environment(r, "others"))
	cmd.Env = append(os.Environ(),
		"PATH="+strings.Join([]string{bin, python, os.Getenv("PATH")}, string(os.PathListSeparator)),
		"NODE_PATH="+filepath.Join(harness.Root(), "test", "node_modules"),
		"HOME="+r.dir, "XDG_DATA_HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir,
		"CADDY_ADMIN="+harness.FreeAddr(r))
	return cmd
}

// run runs a command that only has to succeed and to print something.
func (r *reader) run(script string) {
	r.Helper()
	out, err := r.command(script).Output()
	if err != nil || len(out) == 0 {
		r.Errorf("%s: %v: %q", script, err, out)
	}
}

// compare runs the commands of a console and compares what each prints with what the page shows.
func (r *reader) compare(console string) (commands int) {
	r.Helper()
	for part := range strings.SplitSeq("\n"+console, "\n$ ") {
		command, want, _ := strings.Cut(strings.TrimPrefix(part, "\n"), "\n")
		if command == "" {
			continue
		}
		commands++
		out, err := r.command(command).Output()
		if err != nil {
			r.Errorf("%s: %v", command, err)
		}
		if got := string(out); strings.TrimSpace(got) != strings.TrimSpace(want) {
			r.Errorf("%s\nprinted %q\nthe page has %q", command, got, want)
		}
	}
	return commands
}
