// Package command is the command line "caddy session".
package command

import (
	"context"
	"fmt"

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
				Args: cobra.NoArgs,
				RunE: caddycmd.WrapCommandFuncForCobra(compactCommand),
			}
			compact.Flags().String("path", "", "The session file (default: that of a bolt store without a path)")
			cmd.AddCommand(compact, inspectCommand(), checkCommand(), explainCommand(), phpHandlerCommand())
			cmd.AddCommand(operating()...)
		},
	})
}

func compactCommand(flags caddycmd.Flags) (int, error) {
	path := flags.String("path")
	if path == "" {
		path = boltmodule.DefaultPath()
	}
	before, after, err := bolt.Compact(context.Background(), path)
	if err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("compacting: %w", err)
	}
	fmt.Printf("%s: %s before, %s now\n", path, humanize.IBytes(uint64(before)), humanize.IBytes(uint64(after)))
	return caddy.ExitCodeSuccess, nil
}
