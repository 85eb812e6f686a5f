// Package command is the command line "caddy session".
package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	boltmodule "github.com/caddy-session/caddy-session/caddymodule/stores/bolt"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "session",
		Short: "Shows, ends and maintains sessions",
		CobraFunc: func(cmd *cobra.Command) {
			compact := &cobra.Command{
				Use:   "compact [--path <file>]",
				Short: "Shrinks a bolt session file",
				Long: `Writes a new session file without expired sessions and free pages. When it is
complete, it replaces the old file. Stop Caddy first: the file must not be in use.`,
				Args: takes(0),
				RunE: caddycmd.WrapCommandFuncForCobra(compactCommand),
			}
			compact.Flags().String("path", "", "The session file (default: that of a bolt store without a path, for this user)")
			cmd.Args, cmd.DisableFlagParsing = noSuchCommand, true
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			cmd.AddCommand(compact, inspectCommand(), checkCommand(), explainCommand(), phpHandlerCommand())
			cmd.AddCommand(operating()...)
		},
	})
}

// noSuchCommand refuses the name of a command that does not exist, and a flag in its place.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"-h", "--help"}, args[0]) {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("there is no command %q; there are: %s", args[0], strings.Join(names, ", "))
}

// takes lets a command have n arguments beside its flags.
func takes(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return fmt.Errorf("it takes %d arguments beside flags, and got %d: %s", n, len(args), cmd.UseLine())
	}
}

func compactCommand(flags caddycmd.Flags) (int, error) {
	if err := checkValues(flags); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	path := flags.String("path")
	if path == "" {
		path = boltmodule.DefaultPath()
	}
	before, after, err := bolt.Compact(context.Background(), path)
	switch {
	case errors.Is(err, bolt.ErrHeld):
		err = fmt.Errorf("%w: stop Caddy first", err)
	case errors.Is(err, fs.ErrNotExist) && flags.String("path") == "":
		err = fmt.Errorf("%w: name the file with --path; without it, this is the default file of the user who runs the command", err)
	}
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	fmt.Printf("%s: %s before, %s now\n", path, humanize.IBytes(uint64(before)), humanize.IBytes(uint64(after)))
	return caddy.ExitCodeSuccess, nil
}
