package stores_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/stores/file"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// TestFile saves a record and finds it under cachelib's name, in cachelib's form.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "flask_session")
	s := &file.Module{Directory: dir, Mode: "0640"}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	store, release, err := s.OpenShared(*layoutOf[layout.File](t), month)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	const value = "\x80\x05}."
	save(t, store, session, value, time.Hour)
	path := filepath.Join(dir, "cf938d80f1b86c5152d8c8027c0c20df5199042aab486d799ef3d87fb2a47303")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 || info.Size() != int64(4+len(value)) {
		t.Errorf("%v, %v", info, err)
	}
}
