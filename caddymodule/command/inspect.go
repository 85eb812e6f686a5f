package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/addons"
)

// maxInspected is the maximum size of the input in bytes, more than any record or cookie has.
const maxInspected = 8 << 20

func inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [--dialect <name>] [--secret-file <file>]... [--secret-env <variable>]...",
		Short: "Shows the contents of a session cookie or a stored record",
		Long: `Reads the value of a cookie, or a record as the store has it (redis-cli --raw
GET, a file of the app, ...), from standard input, and prints its contents and
what is wrong with it. It changes nothing and connects to no store.

Secrets are those of the configuration, of the file session/secret.key in Caddy's
storage, or of the app. The first one is the one that signs. Without secrets, no
signature is checked. Each file has one secret; a line break at its end is
ignored. Secrets are not printed; the session's data are.

The exit code is 1 if the cookie or the record is not valid.`,
		Args: takes(0),
		RunE: caddycmd.WrapCommandFuncForCobra(runInspect),
	}
	cmd.Flags().String("dialect", "native", "The dialect of the cookie or the record")
	cmd.Flags().StringArray("secret-file", nil, "A file with a secret")
	cmd.Flags().StringArray("secret-env", nil, "An environment variable with a secret")
	return cmd
}

func runInspect(flags caddycmd.Flags) (int, error) {
	inspector, err := inspectorOf(flags.String("dialect"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	secrets, err := secretsFrom(flags)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	input, err := io.ReadAll(io.LimitReader(os.Stdin, maxInspected+1))
	switch {
	case err != nil:
		return caddy.ExitCodeFailedStartup, fmt.Errorf("reading standard input: %w", err)
	case len(input) > maxInspected:
		return caddy.ExitCodeFailedStartup, fmt.Errorf("standard input has more than %d bytes", maxInspected)
	}
	report := inspect(inspector, input, secrets)
	if err := report.Write(os.Stdout); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if !report.Fine() {
		return caddy.ExitCodeFailedStartup, errors.New("the cookie or record is not valid")
	}
	return caddy.ExitCodeSuccess, nil
}

func inspectorOf(dialect string) (dialects.Inspector, error) {
	id := dialects.Namespace + "." + dialect
	info, err := caddy.GetModule(id)
	if err != nil {
		if hint := addons.Hint(id); hint != "" {
			return nil, fmt.Errorf("dialect %s %s", dialect, hint)
		}
		return nil, fmt.Errorf("there is no dialect %q; %s", dialect, addons.Known(dialects.Namespace))
	}
	inspector, ok := info.New().(dialects.Inspector)
	if !ok {
		return nil, fmt.Errorf("dialect %s cannot be inspected", dialect)
	}
	return inspector, nil
}

func secretsFrom(flags caddycmd.Flags) (secrets []string, err error) {
	files, err1 := flags.GetStringArray("secret-file")
	variables, err2 := flags.GetStringArray("secret-env")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	for _, path := range files {
		secret, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--secret-file: %w", err)
		}
		secrets = append(secrets, string(bytes.TrimRight(secret, "\r\n")))
	}
	for _, name := range variables {
		secret, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("--secret-env: %s is not set", name)
		}
		secrets = append(secrets, secret)
	}
	if slices.Contains(secrets, "") {
		return nil, errors.New("a secret is empty")
	}
	return secrets, nil
}

// inspect examines the input as it is. If that is not valid, it tries without the line break that
// tools such as redis-cli add.
func inspect(inspector dialects.Inspector, input []byte, secrets []string) *dialects.Report {
	if value, ok := cookieValue(input); ok {
		return inspector.Inspect([]byte(value), secrets, time.Now())
	}
	report := inspector.Inspect(input, secrets, time.Now())
	if without, found := bytes.CutSuffix(input, []byte("\n")); found && !report.Fine() {
		if other := inspector.Inspect(without, secrets, time.Now()); other.Fine() {
			return other
		}
	}
	return report
}

// cookieValue returns the cookie's value if the input may be one. Browsers show it with its name,
// or percent-encoded. Records of PHP may be printable too, but have characters that no cookie has.
func cookieValue(input []byte) (value string, ok bool) {
	line := strings.TrimSpace(string(input))
	if line == "" || line[0] == '{' || strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == ';' }) {
		return "", false
	}
	if _, after, named := strings.Cut(line, "="); named {
		line = after
	}
	if plain, err := url.PathUnescape(line); err == nil {
		line = plain
	}
	return line, true
}
