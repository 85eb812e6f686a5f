package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestCompletionAndManPages has our commands in what Caddy's own commands of docs/install.md make.
func TestCompletionAndManPages(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	page := docs.Named(t, "docs/install.md")
	dir := t.TempDir()
	for _, args := range []string{"completion bash", "manpage --directory caddy-man"} {
		if !strings.Contains(page, "\ncaddy "+args+" ") {
			t.Errorf("docs/install.md lacks caddy %s", args)
		}
		cmd := exec.Command(harness.Binary(t), strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	out, err := exec.Command(harness.Binary(t), "__complete", "session", "").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"list", "end", "export", "import", "inspect", "check", "explain", "compact", "php-handler"} {
		if _, err := os.Stat(filepath.Join(dir, "caddy-man", "caddy-session-"+name+".8")); err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(out), "\n"+name+"\t") && !strings.HasPrefix(string(out), name+"\t") {
			t.Errorf("%s is not completed:\n%s", name, out)
		}
	}
}

// TestVersionIsKnown has the command with which reports of bugs say the version. In builds of this
// repository, as the released ones are, caddy list-modules --versions does not know it.
func TestVersionIsKnown(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	for _, file := range []string{"SECURITY.md", ".github/ISSUE_TEMPLATE/bug.yml"} {
		if !strings.Contains(read(t, filepath.Join(harness.Root(), file)), "caddy build-info | grep caddy-session") {
			t.Errorf("%s does not ask for the version", file)
		}
	}
	out, err := exec.Command(harness.Binary(t), "build-info").Output()
	if err != nil || !strings.Contains(string(out), "\nmod\tgithub.com/caddy-session/caddy-session\t") {
		t.Errorf("%v: %s", err, out)
	}
}

// sudo runs the commands that docs/install.md has for a Caddy of Debian's package, below a folder
// in place of the root.
const sudo = `#!/bin/sh
case $1 in
dpkg-divert | update-alternatives) command=$1; shift; exec "$command" --root "$ROOT" "$@" ;;
install) exec install -m "$3" "$4" "$ROOT$5" ;;
rm) exec rm "$ROOT$2" ;;
*) [ "$*" = "systemctl restart caddy" ] ;;
esac
`

// TestDiversion follows docs/install.md on a machine with Debian's package: the commands put our
// binary in the place of the package's, an update of the package leaves it alone, and the last
// commands undo all of it.
func TestDiversion(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dpkg-divert", "update-alternatives"} {
		harness.Program(t, name)
	}
	_, section, _ := strings.Cut(docs.Named(t, "docs/install.md"), "\n## systemd\n")
	_, install, _ := strings.Cut(section, "```sh\n")
	install, after, _ := strings.Cut(install, "```\n")
	_, undo, _ := strings.Cut(after, "goes back to the package's own;")
	undo, _, found := strings.Cut(undo, "undo all of it")
	if !found {
		t.Fatal("docs/install.md has another form")
	}

	dir, root := t.TempDir(), t.TempDir()
	for _, folder := range []string{"usr/bin", "etc/alternatives", "var/lib/dpkg/alternatives"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "var", "lib", "dpkg", "status"), "")
	write(t, filepath.Join(root, "usr", "bin", "caddy"), "the package's")
	write(t, filepath.Join(dir, "bin", "caddy"), "ours")
	write(t, filepath.Join(dir, "sudo"), sudo)
	if err := os.Chmod(filepath.Join(dir, "sudo"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "ROOT="+root, "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", script, err, out)
		}
		return string(out)
	}
	// The links are those of a root, and so lead out of the folder.
	starts := func() string {
		t.Helper()
		path := filepath.Join(root, "usr", "bin", "caddy")
		for {
			to, err := os.Readlink(path)
			if err != nil {
				return read(t, path)
			}
			path = filepath.Join(root, to)
		}
	}

	run(install)
	if got := starts(); got != "ours" {
		t.Errorf("caddy is %q", got)
	}
	if to := run("sudo dpkg-divert --truename /usr/bin/caddy"); strings.TrimSpace(to) != "/usr/bin/caddy.default" {
		t.Errorf("an update of the package goes to %s", to)
	}
	commands := regexp.MustCompile("`(sudo [^`]+)`").FindAllStringSubmatch(undo, -1)
	if len(commands) != 3 {
		t.Fatalf("there are %q", commands)
	}
	for _, command := range commands {
		run(command[1])
	}
	left, err := os.ReadDir(filepath.Join(root, "usr", "bin"))
	if err != nil || len(left) != 1 || starts() != "the package's" {
		t.Errorf("%v are left: %v", left, err)
	}
}
