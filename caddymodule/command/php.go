package command

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/clients/php"
)

func phpHandlerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "php-handler",
		Short: "Prints the file that keeps $_SESSION of PHP scripts",
		Long: `Prints the PHP file that keeps $_SESSION of unmodified scripts in the session of
the proxy. Save it where PHP can read it, and name it in auto_prepend_file:

  caddy session php-handler > /usr/local/share/caddy-session.php`,
		Args: takes(0),
		RunE: caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
			if _, err := fmt.Print(php.Session); err != nil {
				return caddy.ExitCodeFailedStartup, err
			}
			return caddy.ExitCodeSuccess, nil
		}),
	}
}
