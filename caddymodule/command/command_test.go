package command

import (
	"io"
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
