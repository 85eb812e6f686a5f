package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func parse(text string) (*Module, error) {
	s := new(Module)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

func provision(tb testing.TB, text string) (*Module, error) {
	tb.Helper()
	s, err := parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: tb.Context()})
	tb.Cleanup(cancel)
	return s, s.Provision(ctx)
}

func TestCaddyfile(t *testing.T) {
	for text, want := range map[string]Module{
		"file":                               {},
		"file /a/b":                          {Directory: "/a/b"},
		"file {\n}":                          {},
		"file {env.DIR} {\nmode 0640\n}":     {Directory: "{env.DIR}", Mode: "0640"},
		"file {\nthreshold 500\nmode 600\n}": {Mode: "600", Threshold: 500},
		"file \"/a b\" {\nmode 0666\nthreshold 0\n}": {Directory: "/a b", Mode: "0666"},
	} {
		if s, err := parse(text); err != nil || *s != want {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	for text, want := range map[string]string{
		"file a b":                               "value",
		"file {\nmode\n}":                        "value",
		"file {\nmode 0600 0600\n}":              "value",
		"file {\nmode \"\"\n}":                   "mode: missing value",
		"file {\nmode 0400\n}":                   "must be a mode",
		"file {\nmode 0700\n}":                   "must be a mode",
		"file {\nmode 0680\n}":                   "must be a mode",
		"file {\nmode -0600\n}":                  "must be a mode",
		"file {\nmode 04600\n}":                  "must be a mode",
		"file {\nmode rw\n}":                     "must be a mode",
		"file {\nthreshold -1\n}":                "integer of at least 0",
		"file {\nthreshold many\n}":              "integer of at least 0",
		"file {\nthreshold\n}":                   "value",
		"file {\nthreshold 1\nthreshold 1\n}":    "twice",
		"file {\nmode 0600\nmode 0600\n}":        "twice",
		"file {\nsize 5\n}":                      "unrecognized option",
		"file {\nmode 0600 {\nthreshold 1\n}\n}": "",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Provisioning checks the folder and creates nothing.
func TestProvision(t *testing.T) {
	root := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(root, "data"))
	t.Setenv("DIR", filepath.Join(root, "from", "env"))
	check := func(text, dir string) {
		t.Helper()
		s, err := provision(t, text)
		if err != nil || s.dir != dir || s.mode != 0o600 {
			t.Fatalf("%q: %q %o, %v", text, s.dir, s.mode, err)
		}
		_, release, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	check("file", filepath.Join(root, "data", "caddy", "session", "files"))
	check("file {env.DIR}", filepath.Join(root, "from", "env"))
	check("file "+root+"/x/../y", filepath.Join(root, "y"))
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("files were created: %v %v", entries, err)
	}

	if err := os.WriteFile(filepath.Join(root, "note"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"file {env.NO_SUCH_VARIABLE}": "store file: directory",
	} {
		if _, err := provision(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, bad := range []*Module{{Mode: "0400"}, {Mode: "x"}, {Threshold: -1}} {
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		if err := bad.Provision(ctx); err == nil {
			t.Errorf("%+v: no error", bad)
		}
		cancel()
	}
}

// Two handlers use one folder by two names. The mode of the last one applies.
func TestShared(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	one, err1 := provision(t, "file "+root+"/real")
	two, err2 := provision(t, "file "+root+"/link {\nmode 0640\n}")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	first, release1, err1 := one.Open()
	second, release2, err2 := two.Open()
	if err1 != nil || err2 != nil || first != second {
		t.Fatal("not shared", err1, err2)
	}
	if _, err := first.CompareAndSet(t.Context(), "key", nil, []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "real"))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	release1()
	if e, err := second.Get(t.Context(), "key"); err != nil || !e.Found() {
		t.Error("it was closed", err)
	}
	release2()
}
