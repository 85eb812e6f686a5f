package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// TestFlaskSession opens the folder of an app.
func TestFlaskSession(t *testing.T) {
	const day = 24 * time.Hour
	dir := filepath.Join(t.TempDir(), "flask_session")
	open := func(text string, lifetime time.Duration) any {
		t.Helper()
		s, err := provision(t, text)
		if err != nil {
			t.Fatal(err)
		}
		store, release, err := s.OpenShared(stores.FlaskSession, lifetime)
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
	store, release, err := s.OpenShared(stores.FlaskSession, day)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	native, releaseNative, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer releaseNative()
	if any(native) == any(store) || open("file "+dir, 2*day) == any(store) {
		t.Error("what differs is shared")
	}
	if open("file "+dir+" {\nmode 0640\n}", day) != any(store) {
		t.Error("two handlers do not share")
	}
	const key, value = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f", "\x80\x05}."
	if _, err := store.CompareAndSet(t.Context(), key, nil, []byte(value), day); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cf938d80f1b86c5152d8c8027c0c20df5199042aab486d799ef3d87fb2a47303")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 || info.Size() != int64(4+len(value)) {
		t.Errorf("%v, %v", info, err)
	}

	for _, test := range []struct {
		text   string
		layout stores.Layout
		says   string
	}{
		{"file", stores.FlaskSession, "store file: the folder of the app must be named here"},
		{"file " + dir, "php", `store file: it cannot keep sessions as "php" does`},
	} {
		s, err := provision(t, test.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.OpenShared(test.layout, day); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}
