package none

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestCaddyfile(t *testing.T) {
	for text, ok := range map[string]bool{"none": true, "none {\n}": true, "none x": false, "none {\nmode 0600\n}": false} {
		if err := new(Module).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOpen(t *testing.T) {
	s, release, err := new(Module).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := s.CompareAndSet(t.Context(), "key", nil, []byte("one"), time.Hour); err != nil {
		t.Error(err)
	}
	if e, err := s.Get(t.Context(), "key"); err != nil || e.Found() {
		t.Error("a record was kept", err)
	}
}
