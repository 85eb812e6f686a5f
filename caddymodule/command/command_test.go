package command

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// A flag before the command hides it. What does nothing then must not look like success.
func TestWithoutACommandNothingSucceeds(t *testing.T) {
	for line, want := range map[string]string{
		"session": "", "session --help": "", "session -h": "", "session end --help": "", "help session": "", "help session end": "",
		"session --all end":      "there is no command",
		"session --user zoe":     "there is no command",
		"session -x":             "there is no command",
		"session --json=true":    "there is no command",
		"session lst --user zoe": `there is no command "lst"`,
		"session list a":         "it takes 0 arguments",
	} {
		root, session := &cobra.Command{Use: "caddy", SilenceErrors: true, SilenceUsage: true}, &cobra.Command{Use: "session"}
		caddycmd.Commands()["session"].CobraFunc(session)
		root.AddCommand(session)
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		root.SetArgs(strings.Fields(line))
		if err := root.Execute(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("caddy %s: %v", line, err)
		}
	}
}

// Whoever runs it as root has another default file than a Caddy that runs as a service.
func TestCompactSaysWhoseFileIsMissing(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, line := range []string{"compact", "compact --path " + filepath.Join(t.TempDir(), "none")} {
		session := &cobra.Command{Use: "session", SilenceErrors: true, SilenceUsage: true}
		caddycmd.Commands()["session"].CobraFunc(session)
		session.SetArgs(strings.Fields(line))
		err := session.Execute()
		if err == nil || strings.Contains(err.Error(), "name the file with --path") != (line == "compact") {
			t.Errorf("caddy session %s: %v", line, err)
		}
	}
}

// Half of the file that keeps $_SESSION is no success.
func TestPHPHandlerOnAFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /dev/full")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = full
	cmd := phpHandlerCommand()
	cmd.SetArgs([]string{})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if cmd.Execute() == nil {
		t.Error("success")
	}
}
