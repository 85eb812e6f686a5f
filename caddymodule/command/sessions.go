package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// operating returns the commands that ask the running Caddy.
func operating() []*cobra.Command {
	storesCommand := asking("stores", "Lists the session stores that are open", takes(0), listStores)
	list := asking("list [--user <user>]", "Lists sessions", takes(0), listSessions)
	show := asking("show <ref>", "Shows a session", takes(1), showSession)
	end := asking("end <ref>... | --user <user> | --all", "Ends sessions", cobra.ArbitraryArgs, endSessions)
	count := asking("count [--user <user>]", "Counts sessions", takes(0), countSessions)
	for _, cmd := range []*cobra.Command{list, end, count} {
		cmd.Flags().String("user", "", "The sessions of this user")
		cmd.Flags().String("scope", "", "The sessions of this scope, as the list shows it")
	}
	const ref = "\n\nA ref names a session: it is in the list, and in the access log as session_ref."
	show.Long += ref
	end.Long += ref + "\nA user whose session is ended is logged out at the next request."
	show.Flags().Bool("data", false, "Show the data too")
	end.Flags().String("except", "", "With --user: the ref of the one session that goes on")
	end.Flags().Bool("all", false, "All sessions of the store")
	takeRefs(show)
	takeRefs(end)
	return append([]*cobra.Command{storesCommand, list, show, end, count}, moving()...)
}

// takeRefs lets refs stand among the arguments of a command. One in 64 begins with a dash, and
// would be read as a flag.
func takeRefs(cmd *cobra.Command) {
	valid, run := cmd.Args, cmd.RunE
	cmd.Args, cmd.DisableFlagParsing = nil, true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.DisableFlagParsing = false
		if err := cmd.ParseFlags(refsLast(cmd, args)); err != nil {
			return err
		}
		if help, _ := cmd.Flags().GetBool("help"); help {
			return cmd.Help()
		}
		args = cmd.Flags().Args()
		if err := valid(cmd, args); err != nil {
			return err
		}
		return run(cmd, args)
	}
}

// refsLast returns the arguments of a command with the refs behind all flags. What follows a flag
// that takes a value is no ref, whatever it looks like: names of users may have the same form.
func refsLast(cmd *cobra.Command, args []string) []string {
	var others, refs []string
	value := false
	for _, arg := range args {
		switch {
		case value:
			others = append(others, arg)
		case sessionstore.ValidID(arg):
			refs = append(refs, arg)
		case arg != "--":
			others = append(others, arg)
		}
		value = !value && takesValue(cmd, arg)
	}
	return append(append(others, "--"), refs...)
}

// takesValue reports whether an argument is a flag whose value is the next argument.
func takesValue(cmd *cobra.Command, arg string) bool {
	if !strings.HasPrefix(arg, "-") {
		return false
	}
	flag := cmd.Flags().Lookup(strings.TrimPrefix(arg, "--"))
	if len(arg) == 2 {
		flag = cmd.Flags().ShorthandLookup(arg[1:])
	}
	return flag != nil && flag.NoOptDefVal == ""
}

// asking returns a command that asks the running Caddy.
func asking(use, short string, args cobra.PositionalArgs, run func(*client, caddycmd.Flags) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  short + ". It asks the Caddy that is running, through its admin API.",
		Args:  args,
		RunE: caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
			c, err := newClient(flags)
			if err == nil {
				err = run(c, flags)
			}
			if err != nil {
				return caddy.ExitCodeFailedStartup, err
			}
			return caddy.ExitCodeSuccess, nil
		}),
	}
	addClientFlags(cmd)
	return cmd
}

func listStores(c *client, _ caddycmd.Flags) error {
	var answer struct{ Stores []admin.Store }
	if err := c.get("/session/stores", &answer); err != nil {
		return err
	}
	t := c.table("NAME", "PLACE", "DIALECT", "SCOPES", "RECORDS", "LISTS", "PART OF")
	for _, s := range answer.Stores {
		records := ""
		if s.Records != nil {
			records = strconv.FormatInt(*s.Records, 10)
		}
		t.row(s, s.Name, s.Place, s.Dialect, strings.Join(s.Scopes, ", "), records, yes(s.Lists), s.Moving)
	}
	return t.flush()
}

func listSessions(c *client, flags caddycmd.Flags) error {
	t := c.table("REF", "USER", "SCOPE", "CREATED", "LAST USED", "EXPIRES", "SIZE")
	err := c.each(flags, func(s *admin.Session) {
		t.row(s, s.Ref, s.User, s.Scope, ago(s.Created), ago(s.LastUsed), ago(s.Expires), strconv.Itoa(s.Size))
	}, t.flush)
	if err != nil {
		return err
	}
	return t.flush()
}

func countSessions(c *client, flags caddycmd.Flags) error {
	n := 0
	if err := c.each(flags, func(*admin.Session) { n++ }, func() error { return nil }); err != nil {
		return err
	}
	return c.number("sessions", n)
}

// number prints a number.
func (c *client) number(what string, n int) error {
	if c.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]int{what: n})
	}
	_, err := fmt.Println(n)
	return err
}

// each calls f for every session that the flags ask for, and paged after each page.
func (c *client) each(flags caddycmd.Flags, f func(*admin.Session), paged func() error) error {
	user, scope := flags.String("user"), flags.String("scope")
	if user != "" {
		var page admin.Page
		if err := c.call(http.MethodPost, "/session/find", admin.Of{Store: c.store, User: user, Scope: scope}, &page); err != nil {
			return err
		}
		for i := range page.Sessions {
			f(&page.Sessions[i])
		}
		return nil
	}
	for after := ""; ; {
		var page admin.Page
		if err := c.get("/session/sessions", &page, "after", after, "limit", strconv.Itoa(sessionstore.MaxPage)); err != nil {
			return err
		}
		for i := range page.Sessions {
			if s := &page.Sessions[i]; scope == "" || scope == s.Scope {
				f(s)
			}
		}
		if err := paged(); err != nil || page.Next == "" {
			return err
		}
		after = page.Next
	}
}

func showSession(c *client, flags caddycmd.Flags) error {
	query := []string{"data", ""}
	if flags.Bool("data") {
		query[1] = "true"
	}
	var s admin.Session
	if err := c.get("/session/sessions/"+url.PathEscape(flags.Arg(0)), &s, query...); err != nil {
		return err
	}
	t := c.table()
	if c.json {
		t.row(s)
		return t.flush()
	}
	for _, line := range [][2]string{
		{"ref", s.Ref}, {"user", s.User}, {"scope", s.Scope}, {"created", exactly(s.Created)}, {"last used", exactly(s.LastUsed)},
		{"expires", exactly(s.Expires)}, {"size", fmt.Sprintf("%d bytes", s.Size)}, {"permanent", yes(s.Permanent)},
		{"unused", yes(s.Unused)}, {"first client", clientOf(s.First)}, {"last client", clientOf(s.Last)}, {"data", string(s.Data)},
	} {
		if line[1] != "" {
			t.row(nil, line[0], line[1])
		}
	}
	return t.flush()
}

func endSessions(c *client, flags caddycmd.Flags) error {
	refs, of := flags.Args(), admin.Of{
		Store: c.store, User: flags.String("user"), Scope: flags.String("scope"), Except: flags.String("except"), All: flags.Bool("all"),
	}
	ways := 0
	for _, used := range []bool{len(refs) > 0, of.User != "", of.All} {
		if used {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("name the sessions to end by their refs, or use either --user or --all")
	case of.Except != "" && of.User == "":
		return errors.New("--except goes with --user: it is the session of this user that goes on")
	case of.Scope != "" && len(refs) > 0:
		return errors.New("--scope goes with --user and --all: a ref names a session by itself")
	}
	var ended admin.Ended
	if len(refs) == 0 {
		if err := c.call(http.MethodPost, "/session/end", of, &ended); err != nil {
			return err
		}
		return c.number("ended", ended.Ended)
	}
	var errs []error
	n := 0
	for _, ref := range refs {
		err := c.call(http.MethodDelete, "/session/sessions/"+url.PathEscape(ref), nil, &ended)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", plain(ref), err))
			continue
		}
		n += ended.Ended
	}
	return errors.Join(append(errs, c.number("ended", n))...)
}

// table prints rows in columns, or as JSON.
type table struct {
	json *json.Encoder
	text *tabwriter.Writer
	err  error
}

func (c *client) table(heads ...string) *table {
	var out io.Writer = os.Stdout
	if c.json {
		return &table{json: json.NewEncoder(out)}
	}
	t := &table{text: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if len(heads) > 0 {
		t.row(nil, heads...)
	}
	return t
}

// row prints v as JSON, or the cells.
func (t *table) row(v any, cells ...string) {
	if t.err != nil {
		return
	}
	if t.json != nil {
		t.err = t.json.Encode(v)
		return
	}
	for i, cell := range cells {
		cells[i] = plain(cell)
	}
	_, t.err = fmt.Fprintln(t.text, strings.Join(cells, "\t"))
}

func (t *table) flush() error {
	if t.err != nil || t.text == nil {
		return t.err
	}
	return t.text.Flush()
}

// plain returns text without what would reach the terminal as a command.
func plain(text string) string {
	for _, r := range text {
		if !strconv.IsPrint(r) {
			return strconv.QuoteToASCII(text)
		}
	}
	return text
}

// clientOf returns the address and the browser of a client.
func clientOf(c sessionstore.Client) string {
	return strings.TrimSpace(c.Address + " " + c.UserAgent)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return humanize.Time(t)
}

func exactly(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339) + ", " + humanize.Time(t)
}
