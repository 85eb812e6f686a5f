package operate

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// run runs "caddy session" with these arguments, and returns its output.
func run(t *testing.T, c *harness.Caddy, args ...string) (out, errors string, ok bool) {
	t.Helper()
	cmd := c.Command(append([]string{"session"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), stderr.String(), err == nil
}

// says runs a command that must succeed and print all of want.
func says(t *testing.T, c *harness.Caddy, args []string, want ...string) (out string) {
	t.Helper()
	out, errors, ok := run(t, c, append(args, "--address", c.Admin)...)
	if !ok {
		t.Errorf("%v: %s", args, errors)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("%v: the output lacks %q:\n%s", args, text, out)
		}
	}
	return out
}

// refuses runs a command that must fail and say why.
func refuses(t *testing.T, c *harness.Caddy, args []string, why string) {
	t.Helper()
	_, errors, ok := run(t, c, args...)
	if ok || !strings.Contains(errors, why) {
		t.Errorf("%v: ok %t, the error lacks %q:\n%s", args, ok, why, errors)
	}
}

// TestCommands does with each store what an operator does in a shell.
func TestCommands(t *testing.T) {
	t.Parallel()
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, site(t, store))
			zoe := []*visitor{visit(t, c.URL), visit(t, c.URL), visit(t, c.URL)}
			var refs []string
			for _, v := range zoe {
				refs = append(refs, v.login("zoë"))
			}
			guest := visit(t, c.URL)
			guest.ask("X-Session-Update", `{"user":"\u001b[2Jeve"}`) // no user: it has a control character
			refs = append(refs, guest.ref())

			says(t, c, []string{"stores"}, "NAME", kind+"-", "native", "name")
			out := says(t, c, []string{"list"}, "REF", "USER", "zoë", "name |127.0.0.1", "from now")
			for _, ref := range refs {
				if !strings.Contains(out, ref) {
					t.Errorf("the list lacks %s:\n%s", ref, out)
				}
			}
			if strings.Contains(out, "\x1b") || strings.Count(out, "\n") != 5 {
				t.Errorf("the list:\n%q", out)
			}
			out = says(t, c, []string{"list", "--user", "zoë", "--json"})
			var found []string
			for line := range strings.Lines(out) {
				var s admin.Session
				if err := json.Unmarshal([]byte(line), &s); err != nil || s.User != "zoë" {
					t.Errorf("%v: %s", err, line)
				}
				found = append(found, s.Ref)
			}
			if slices.Sort(found); !slices.Equal(found, slices.Sorted(slices.Values(refs[:3]))) {
				t.Errorf("sessions of the user: %v", found)
			}
			if out = says(t, c, []string{"count"}); out != "4\n" {
				t.Errorf("count: %q", out)
			}
			if out = says(t, c, []string{"count", "--json", "--user", "zoë"}); out != `{"sessions":3}`+"\n" {
				t.Errorf("count: %q", out)
			}
			out = says(t, c, []string{"show", refs[0]}, "ref", refs[0], "zoë", "bytes", "created")
			if strings.Contains(out, "not to be seen") {
				t.Errorf("show has data:\n%s", out)
			}
			says(t, c, []string{"show", "--data", refs[0]}, "not to be seen")
			says(t, c, []string{"show", "--json", refs[0]}, `{"ref":"`+refs[0])

			if out = says(t, c, []string{"end", refs[0], refs[3]}); out != "2\n" || zoe[0].ref() != "" || guest.ref() != "" {
				t.Errorf("end: %q", out)
			}
			refuses(t, c, []string{"end", refs[0], refs[1], "--address", c.Admin}, refs[0]+": there is no session with this ref")
			if zoe[1].ref() != "" {
				t.Error("the second ref was not ended")
			}
			if out = says(t, c, []string{"end", "--user", "zoë", "--except", refs[2]}); out != "0\n" || zoe[2].ref() == "" {
				t.Errorf("end: %q", out)
			}
			if out = says(t, c, []string{"end", "--user", "zoë"}); out != "1\n" || zoe[2].ref() != "" {
				t.Errorf("end: %q", out)
			}
			if out = says(t, c, []string{"count"}); out != "0\n" {
				t.Errorf("count: %q", out)
			}
		})
	}
}

// TestCommandsOfThePage runs the commands as docs/operating.md prints them, each with other refs.
func TestCommandsOfThePage(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store bolt"))
	var refs []string
	for range 4 {
		refs = append(refs, visit(t, c.URL).login("zoe"))
	}
	prints := map[string]string{
		"count": "4\n", "end <ref> <ref>": "2\n", "end --user zoe --except <ref>": "1\n", "end --all": "1\n",
	}
	for line := range strings.Lines(docs.Between(t, "the sessions of the Caddy that is running:\n\n```sh\n", "```")) {
		command, _, _ := strings.Cut(line, " #")
		command, ours := strings.CutPrefix(strings.TrimSpace(command), "caddy session ")
		if !ours {
			t.Fatalf("the page has %q", line)
		}
		var args []string
		for arg := range strings.FieldsSeq(command) {
			if arg == "<ref>" {
				arg, refs = refs[0], refs[1:]
			}
			args = append(args, arg)
		}
		if out := says(t, c, args); prints[command] != "" && out != prints[command] {
			t.Errorf("%s printed %q", command, out)
		}
		delete(prints, command)
	}
	if len(prints) > 0 || len(refs) > 0 {
		t.Errorf("the page lacks commands: %v, %d refs are left", prints, len(refs))
	}
}

// TestShowHasTheClients checks that show says which browser a session is of, as the page does.
func TestShowHasTheClients(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store memory\nremember_client on"))
	v := visit(t, c.URL)
	says(t, c, []string{"show", v.login("zoë")}, "first client  127.0.0.1 Go-http-client/", "last client   127.0.0.1 Go-http-client/")
}

// TestCompactSaysToStopCaddy compacts a file that is in use.
func TestCompactSaysToStopCaddy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	c := harness.Start(t, site(t, "store bolt "+path))
	visit(t, c.URL).login("zoë")
	refuses(t, c, []string{"compact", "--path", path}, "compacting "+path+": the file is held by another process: stop Caddy first")
}

// TestCommandsExplainErrors checks what an operator reads who has made a mistake.
func TestCommandsExplainErrors(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, strings.Replace(site(t, "store memory"), "reverse_proxy", "session {\n\t\tname shop\n\t\tstore bolt\n\t}\n\treverse_proxy", 1))
	v := visit(t, c.URL)
	ref := v.login("zoë")
	nobody := harness.FreeAddr(t)
	likeRef := strings.Repeat("u", len(ref))
	dashed := "-" + strings.Repeat("A", len(ref)-1) // a ref that looks like a flag
	for _, test := range []struct {
		args []string
		why  string
	}{
		{[]string{"list", "--address", nobody}, "no Caddy answers at " + nobody + ": start it, or name the address of its admin API with --address; with admin off, it has none"},
		{[]string{"list", "--address", c.Addr}, "is not the admin API of a Caddy with sessions"},
		{[]string{"list", "--address", c.Admin}, "several stores are open, so name one: bolt-"},
		{[]string{"list", "--address", c.Admin, "--store", "redis"}, `no store \"redis\" is open`},
		{[]string{"show", "x", "--address", c.Admin, "--store", "memory"}, "a ref has 43"},
		{[]string{"show", "../stores", "--address", c.Admin, "--store", "memory"}, "a ref has 43"},
		{[]string{"show", "--address", c.Admin}, "it takes 1 arguments beside flags, and got 0: caddy session show <ref>"},
		{[]string{"lst"}, `there is no command "lst"; there are: check, `},
		{[]string{"find", "zoë", "--address", c.Admin}, `there is no command "find"; there are: `},
		{[]string{"list", "zoë", "--address", c.Admin}, "it takes 0 arguments beside flags, and got 1: caddy session list [--user <user>]"},
		{[]string{"end", "--user", "zoë", "--all", "--address", c.Admin, "--store", "memory"}, "either --user or --all"},
		{[]string{"end", "--all", "--except", ref, "--address", c.Admin, "--store", "memory"}, "--except goes with --user"},
		{[]string{"end", dashed, "--except", ref, "--address", c.Admin, "--store", "memory"}, "--except goes with --user"},
		{[]string{"end", ref, "--scope", "name |127.0.0.1", "--address", c.Admin, "--store", "memory"}, "--scope goes with"},
		{[]string{"end", "--address", c.Admin, "--store", "memory"}, "name the sessions to end"},
		{[]string{"show", dashed, "--address", c.Admin, "--store", "memory"}, "there is no session"},
		{[]string{"end", "--store", "memory", dashed, "--address", c.Admin}, "there is no session"},
		{[]string{"end", "--user", "zoë", "--except", dashed, dashed, "--address", c.Admin, "--store", "memory"}, "name the sessions to end"},
		{[]string{"end", "--user", likeRef, "--except", dashed, ref, "--address", c.Admin, "--store", "memory"}, "name the sessions to end"},
		{[]string{"end", "--user", likeRef, "--store", likeRef, "--address", c.Admin}, `no store \"` + likeRef + `\" is open`},
		{[]string{"show", "--store", likeRef, ref, "--address", c.Admin}, `no store \"` + likeRef + `\" is open`},
		{[]string{"show", ref, "-c", likeRef}, "open " + likeRef},
		{[]string{"show", ref, "-c", c.Config(), "-a", likeRef}, likeRef},
		{[]string{"end", "--alle", "--address", c.Admin}, "unknown flag: --alle"},
		{[]string{"end", ref, "--all", "--address", c.Admin, "--store", "memory"}, "name the sessions to end"},
		{[]string{"end", "--all", "--user", "zoë", "--address", c.Admin, "--store", "memory"}, "name the sessions to end"},
		{[]string{"list", "--user", "zoë", "--address", c.Admin, "--store", "bolt"}, "the sessions of users are not known here"},
		{[]string{"list", "--user", "", "--address", c.Admin, "--store", "memory"}, "--user: the value is empty"},
		{[]string{"end", "--user", "zo\xeb", "--address", c.Admin, "--store", "memory"}, "--user: the value is not UTF-8"},
		{[]string{"end", "--user", "zoë", "--except=", "--address", c.Admin, "--store", "memory"}, "--except: the value is empty"},
		{[]string{"end", "--all", "--scope", "", "--address", c.Admin, "--store", "memory"}, "--scope: the value is empty"},
		{[]string{"end", "--user", "zoë", "--except", ref[1:], "--address", c.Admin, "--store", "memory"}, "except: a ref has 43"},
		{[]string{"end", "--user", "zoë", "--except", likeRef, "--address", c.Admin, "--store", "memory"}, "except: there is no session with this ref"},
	} {
		refuses(t, c, test.args, test.why)
	}
	// The address may come from the configuration, as for Caddy's own commands.
	if out, errors, ok := run(t, c, "count", "--store", "memory", "--config", c.Config(), "--adapter", "caddyfile"); !ok || out != "1\n" {
		t.Errorf("%q, %s", out, errors)
	}
	// A user may have a name of the form of a ref, such as the subject of an OpenID provider.
	spared := visit(t, c.URL).login(likeRef)
	for _, args := range [][]string{{"--except", spared, "--user", likeRef}, {"--user", likeRef, "--except=" + spared}, {"--scope", "name |127.0.0.1", "--except", spared, "--user=" + likeRef}} {
		subject := visit(t, c.URL)
		subject.login(likeRef)
		if out := says(t, c, append([]string{"end", "--store", "memory"}, args...)); out != "1\n" || subject.ref() != "" {
			t.Errorf("end %v: %q", args, out)
		}
	}
	if out := says(t, c, []string{"end", "--user", likeRef, "--store", "memory"}); out != "1\n" {
		t.Errorf("end: %q", out)
	}
	if out := says(t, c, []string{"end", "--all", "--store", "memory"}); out != "1\n" || v.ref() != "" {
		t.Errorf("end: %q", out)
	}
}
