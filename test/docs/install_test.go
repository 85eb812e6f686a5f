package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
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
