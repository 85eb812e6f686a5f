package operate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestExportAndImport takes the sessions of each store to another Caddy with bolt. Nobody is logged
// out, times are kept, and what is newer there stays.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	const secret = "\n secret 0123456789abcdef\n"
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			from, to := harness.Start(t, site(t, store+secret)), harness.Start(t, site(t, "store bolt"+secret))
			var visitors []*visitor
			for range 5 {
				v := visit(t, from.URL)
				v.login("zoë")
				visitors = append(visitors, v)
			}
			ref := visitors[0].ref()
			var before, after admin.Session
			api(t, from, http.MethodGet, "/session/sessions/"+ref+"?data=true", "", &before)

			file := filepath.Join(t.TempDir(), "sessions")
			says(t, from, []string{"export", file})
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			refuses(t, from, []string{"export", file, "--address", from.Admin}, file+" exists already: name a new file")
			if out := says(t, from, []string{"export", "-"}); strings.Count(out, "\n") != 5 || strings.Contains(out, visitors[0].id()) {
				t.Errorf("the export:\n%s", out)
			}

			says(t, to, []string{"import", file}, "5 saved, 0 there already, 0 left out")
			if out := says(t, to, []string{"count", "--user", "zoë"}); out != "5\n" {
				t.Errorf("sessions of the user that nobody has used since the import: %s", out)
			}
			for _, v := range visitors {
				v.base = to.URL
				if v.ref() == "" {
					t.Error("a session was lost")
				}
			}
			api(t, to, http.MethodGet, "/session/sessions/"+ref+"?data=true", "", &after)
			if !after.Created.Equal(before.Created) || after.Expires.Sub(before.Expires).Abs() > time.Minute ||
				string(after.Data) != string(before.Data) || after.User != "zoë" {
				t.Errorf("%+v, was %+v", after, before)
			}
			says(t, to, []string{"import", file}, "0 saved, 5 there already, 0 left out")

			// A session has changed, and another one has got a new id: its former ref is a mark.
			visitors[0].ask("X-Session-Update", `{"changed":true}`)
			visitors[1].ask("X-Session-Control", "regenerate")
			visitors[1].ref()
			out := says(t, to, []string{"import", "--json", file})
			var done admin.Imported
			if err := json.Unmarshal([]byte(out), &done); err != nil || !reflect.DeepEqual(done, admin.Imported{Same: 3, Newer: 2}) {
				t.Errorf("%v: %s", err, out)
			}
			if !strings.Contains(visitors[0].ask()["X-Session-Data"], "changed") {
				t.Error("the import has overwritten what is newer")
			}
		})
	}
}

// TestImportRefuses imports what is no export.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store memory"))
	visit(t, c.URL).login("zoë")
	_, text := exported(t, c)
	line := strings.TrimSpace(text)
	var record admin.Record
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*admin.Record)) string {
		other := record
		change(&other)
		out, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, test := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"the same":     {line, 200, `"same":1`},
		"no JSON":      {line + "\n{", 400, "line 2 is not a record"},
		"another key":  {strings.Replace(line, record.Ref, "user."+record.Ref, 1), 400, "line 1: it is not a session"},
		"cut short":    {changed(func(r *admin.Record) { r.Value = r.Value[:20] }), 400, "line 1: it is not a session"},
		"expired":      {changed(func(r *admin.Record) { r.Expires = time.Now().Add(-time.Second) }), 200, `"expired":1`},
		"another name": {`{"key":"x"}`, 400, "line 1 is not a record"},
		"a long line":  {`{"value":"` + strings.Repeat("A", 400<<10) + `"}`, 400, "token too long"},
		"two in one":   {line + line, 400, "line 1 is not a record: there is more after it"},
		"nothing":      {"\n", 400, "line 1 is not a record"},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := api(t, c, http.MethodPost, "/session/records", test.body, nil)
			if status != test.status || !strings.Contains(text, test.says) {
				t.Errorf("%d, %s", status, text)
			}
		})
	}
}

// TestImportSaysWhichLine imports files that are damaged at the end: one that goes in one part, and
// one that goes in two.
func TestImportSaysWhichLine(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store memory"))
	visit(t, c.URL).login("zoë")
	_, line := exported(t, c)
	for n, want := range map[int]string{
		2:   `"msg":"line 3 is not a record: `,
		600: `line 1 of this part is line 501 of the file`,
	} {
		file := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(file, []byte(strings.Repeat(line, n)+"garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, c, []string{"import", file, "--address", c.Admin}, want)
	}
}

// TestImportPastADamagedFile imports a backup into a folder in which a file is damaged. All other
// sessions are back, and the command names the one that is not.
func TestImportPastADamagedFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sessions")
	c := harness.Start(t, site(t, "store file "+dir))
	var visitors []*visitor
	var refs []string
	for range 3 {
		v := visit(t, c.URL)
		refs = append(refs, v.login("zoe"))
		visitors = append(visitors, v)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	says(t, c, []string{"export", backup})
	says(t, c, []string{"end", refs[0], refs[2]})
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err == nil && bytes.Contains(content, []byte(refs[1])) {
			content[len(content)-1] ^= 1
			err = os.WriteFile(name, content, 0o600)
			damaged++
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if damaged != 1 {
		t.Fatalf("%d files are damaged", damaged)
	}
	out, complaint, ok := run(t, c, "import", backup, "--address", c.Admin)
	if ok || !strings.Contains(out, "2 saved, 0 there already") || !strings.Contains(complaint, "1 more: ") || !strings.Contains(complaint, refs[1]) {
		t.Errorf("ok %t: %s%s", ok, out, complaint)
	}
	if visitors[0].ref() == "" || visitors[2].ref() == "" {
		t.Error("a session was lost")
	}
}

// exported returns the answer to an export.
func exported(t *testing.T, c *harness.Caddy) (ok bool, text string) {
	t.Helper()
	out, errors, ok := run(t, c, "export", "-", "--address", c.Admin)
	if !ok {
		t.Error(errors)
	}
	return ok, out
}

// TestProgressOnATerminal runs the commands on a terminal of Python's. import knows how much is to
// come, and shows a bar.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, site(t, "store bolt"))
	visit(t, c.URL).login("zoë")
	file := filepath.Join(t.TempDir(), "sessions")
	for _, step := range []struct{ command, want string }{
		{"export", "\r1 sessions exported\r\n"},
		{"import", "\r[####################] 100% 1 sessions read\r\n"},
	} {
		out, err := exec.Command(harness.Python(t), "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))",
			harness.Binary(t), "session", step.command, file, "--address", c.Admin).CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Errorf("%s: %v, %q", step.command, err, out)
		}
	}
}
