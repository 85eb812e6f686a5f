package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/caddymodule/check"
	"github.com/caddy-session/caddy-session/caddymodule/explain"
)

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain <url> [--cookie-file <file>] [--method <method>] [--header <header>]...",
		Short: "Says step by step what becomes of the session of a request",
		Long: `Says what the Caddy that is running would do with the session of a request to this
URL: which server and which session handler get it, what the cookie is and whether
browsers take it there, who has signed the cookie that came, what the store has
for it, and what the app would get. It says what is wrong and what to do about it,
and adds what "caddy session check" finds in the configuration of that server.

It changes no session and does not ask the app. The request comes from this
machine, as far as matchers and trusted proxies are concerned.

--cookie-file names a file with a Cookie header, or with the value of the session
cookie alone, as the tools of a browser show them; - is the standard input. A
cookie is as good as a password: it is not shown again.

The exit code is 1 if a step is wrong.`,
		Args: takes(1),
		RunE: caddycmd.WrapCommandFuncForCobra(runExplain),
	}
	addClientFlags(cmd)
	_ = cmd.Flags().MarkHidden("store")
	cmd.Flags().String("cookie-file", "", "A file with the cookies of the request")
	cmd.Flags().StringP("method", "m", http.MethodGet, "The method of the request")
	cmd.Flags().StringArrayP("header", "H", nil, `A header of the request, such as "X-Forwarded-Proto: https"`)
	return cmd
}

// explained is what the command prints as JSON.
type explained struct {
	URL string `json:"url"`
	explain.Answer
	Findings []check.Finding `json:"findings"`
}

func runExplain(flags caddycmd.Flags) (int, error) {
	c, err := newClient(flags)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	ask, err := askFrom(flags)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	out := explained{URL: ask.URL, Findings: []check.Finding{}}
	if err := c.call(http.MethodPost, "/session/explain", ask, &out.Answer); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	var config json.RawMessage
	if err := c.get("/config/", &config); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	findings, err := check.Config(config, "", nil)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	for _, f := range findings {
		if strings.HasPrefix(f.Where, "server "+out.Server+" ") {
			out.Findings = append(out.Findings, f)
		}
	}
	return out.print(c.json)
}

// askFrom returns what the flags ask.
func askFrom(flags caddycmd.Flags) (*explain.Ask, error) {
	ask := &explain.Ask{URL: flags.Arg(0), Method: flags.String("method"), Header: make(http.Header)}
	headers, err := flags.GetStringArray("header")
	if err != nil {
		return nil, err
	}
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case !ok:
			return nil, errors.New("--header: it must be a name and a value, such as \"X-Forwarded-Proto: https\"")
		case strings.EqualFold(strings.TrimSpace(name), "Cookie"):
			return nil, errors.New("--header: give cookies by --cookie-file, so that they are in no list of processes")
		}
		ask.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	name := flags.String("cookie-file")
	var cookie []byte
	switch name {
	case "":
	case "-":
		cookie, err = io.ReadAll(io.LimitReader(os.Stdin, maxInspected))
	default:
		cookie, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("--cookie-file: %w", err)
	}
	ask.Cookie = strings.TrimSpace(string(cookie))
	if name != "" && ask.Cookie == "" {
		return nil, errors.New("--cookie-file: it is empty")
	}
	return ask, nil
}

func (e *explained) print(asJSON bool) (int, error) {
	wrong := 0
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, s := range e.Steps {
		mark := " "
		if s.Wrong {
			mark = "!"
			wrong++
		}
		if asJSON {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", mark, s.What, plain(s.Says))
		if s.Do != "" {
			fmt.Fprintf(t, "\t\t-> %s\n", plain(s.Do))
		}
	}
	if asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		if err := out.Encode(e); err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
	} else {
		if err := t.Flush(); err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
		if len(e.Findings) > 0 {
			fmt.Printf("\nIn the configuration of %s:\n", e.Server)
		}
		for _, f := range e.Findings {
			fmt.Print("! ", f)
		}
	}
	if wrong > 0 {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("steps that are wrong: %d", wrong)
	}
	return caddy.ExitCodeSuccess, nil
}
