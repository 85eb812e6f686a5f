package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/pflag"
)

// A file has the name of an export only when it is whole, so that one that was killed leaves none.
// What is there already stays as it is.
func TestExportHasItsNameWhenItIsWhole(t *testing.T) {
	const lines = "{\"ref\":\"a\"}\n{\"ref\":\"b\"}\n"
	for _, whole := range []bool{false, true} {
		goOn := make(chan bool)
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(lines))
			_ = http.NewResponseController(w).Flush()
			if !<-goOn {
				panic(http.ErrAbortHandler)
			}
		}))
		defer api.Close()
		name := filepath.Join(t.TempDir(), "sessions.json")
		flags := caddycmd.Flags{FlagSet: pflag.NewFlagSet("export", pflag.ContinueOnError)}
		if err := flags.Parse([]string{name}); err != nil {
			t.Fatal(err)
		}
		export := func() error {
			return exportSessions(&client{address: strings.TrimPrefix(api.URL, "http://")}, flags)
		}
		done := make(chan error, 1)
		go func() { done <- export() }()
		for {
			if written, err := os.ReadFile(name + ".part"); err == nil && string(written) == lines {
				break
			}
			select {
			case err := <-done:
				goOn <- false
				t.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
		if _, err := os.Lstat(name); err == nil {
			t.Error("a part has the name of the whole")
		}
		goOn <- whole
		err := <-done
		if (err == nil) != whole {
			t.Errorf("whole %t: %v", whole, err)
		}
		if _, err := os.Lstat(name + ".part"); err == nil {
			t.Errorf("whole %t: the part is left", whole)
		}
		info, err := os.Lstat(name)
		if (err == nil) != whole || whole && info.Mode() != 0o600 {
			t.Errorf("whole %t: %v, %v", whole, info, err)
		}
		if !whole {
			continue
		}
		if err := export(); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("over an export: %v", err)
		}
		if err := os.Rename(name, name+".part"); err != nil {
			t.Fatal(err)
		}
		go func() { goOn <- true }()
		if err := export(); err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("beside a part: %v", err)
		}
		if written, err := os.ReadFile(name + ".part"); err != nil || string(written) != lines {
			t.Errorf("the part of another export: %q, %v", written, err)
		}
	}
}
