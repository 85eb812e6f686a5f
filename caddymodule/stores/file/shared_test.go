package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/file"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// The folder of an app is opened with its layout.
func TestSharedWithApp(t *testing.T) {
	const day = 24 * time.Hour
	var folders []layout.Folder
	app := layout.File{Format: "app", Open: func(f layout.Folder) layout.FolderStore {
		folders = append(folders, f)
		return file.Open(file.Options{Dir: f.Dir})
	}}
	other := app
	other.Format = "other"
	dir := filepath.Join(t.TempDir(), "app")
	open := func(text string, l layout.File, lifetime time.Duration) any {
		t.Helper()
		s, err := provision(t, text)
		if err != nil {
			t.Fatal(err)
		}
		store, release, err := s.OpenShared(l, lifetime)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		return store
	}
	s, err := provision(t, "file "+dir+" {\nmode 0640\n}")
	if err != nil {
		t.Fatal(err)
	}
	store, release, err := s.OpenShared(app, day)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	native, releaseNative, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNative()
	if any(native) == any(store) || open("file "+dir, app, 2*day) == any(store) || open("file "+dir, other, day) == any(store) {
		t.Error("stores with different options are shared")
	}
	if open("file "+dir+" {\nmode 0640\n}", app, day) != any(store) {
		t.Error("two handlers with the same options do not share a store")
	}
	if len(folders) != 3 || folders[0].Dir != dir || folders[0].Endless != day || folders[0].OnError == nil || folders[0].OnEvict == nil {
		t.Errorf("opened with %+v", folders)
	}
	if _, err := store.CompareAndSet(t.Context(), "key", nil, []byte("value"), day); err != nil {
		t.Fatal(err)
	}
	err = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && info.Mode() != 0o640 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}

	for _, test := range []struct {
		text string
		l    layout.Layout
		says string
	}{
		{"file", app, "store file: the folder of the app is missing"},
		{"file " + dir, layout.Redis{}, `store file: the layout layout.Redis is not supported`},
	} {
		s, err := provision(t, test.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.OpenShared(test.l, day); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}
