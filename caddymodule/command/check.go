package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/caddymodule/check"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [--config <file>] [--adapter <name>] [--json]",
		Short: "Reports what is wrong with the sessions of a configuration",
		Long: `Reads a Caddyfile or a configuration in JSON, and reports what no directive can
see alone:

- session_gate or session_devices without its session, and session_admin without a
  handler that authenticates operators
- session behind a handler that answers all requests, as in a route
- a proxy to an app without the session that it has elsewhere: anybody could send
  it session headers
- two session handlers with one cookie
- a block that uses a store alone from which another block moves sessions
- a store on the network without a secret
- a header of the response that asks a session for something, where no session sees it
- placeholders of a session that choose a file, a host or a redirect, and those
  that stand before session and are always empty

It needs no running Caddy, and changes nothing. What is wrong with a directive
itself is found by "caddy validate".

The exit code is 1 if there is a finding.`,
		Args: takes(0),
		RunE: caddycmd.WrapCommandFuncForCobra(runCheck),
	}
	cmd.Flags().StringP("config", "c", "", "The configuration file (default: the Caddyfile in this folder)")
	cmd.Flags().StringP("adapter", "a", "", "The name of the config adapter (default: by the name of the file)")
	cmd.Flags().Bool("json", false, "Print the findings as a JSON array")
	return cmd
}

func runCheck(flags caddycmd.Flags) (int, error) {
	if err := checkValues(flags); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	config, file, adapter, err := caddycmd.LoadConfig(flags.String("config"), flags.String("adapter"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if len(config) == 0 {
		return caddy.ExitCodeFailedStartup, errors.New("no configuration: name it with --config")
	}
	var caddyfile []byte
	if adapter == "caddyfile" && file != "-" {
		if caddyfile, err = os.ReadFile(file); err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
	}
	findings, err := check.Config(config, file, caddyfile)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if flags.Bool("json") {
		if findings == nil {
			findings = []check.Finding{}
		}
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "\t")
		if err := out.Encode(findings); err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
	} else {
		for _, f := range findings {
			fmt.Print(f)
		}
		if len(findings) == 0 {
			fmt.Println("no findings")
		}
	}
	if len(findings) > 0 {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("findings: %d", len(findings))
	}
	return caddy.ExitCodeSuccess, nil
}
