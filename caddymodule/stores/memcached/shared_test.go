package memcached

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

func TestSharedWithAnApp(t *testing.T) {
	const day = 24 * time.Hour
	open := func(text string, layout stores.Layout, lifetime time.Duration) (any, error) {
		s, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := provision(t, s); err != nil {
			t.Fatal(err)
		}
		store, release, err := s.OpenShared(layout, lifetime)
		if err == nil {
			t.Cleanup(release)
		}
		return store, err
	}
	one, err := open("memcached a.invalid", stores.FlaskSession, day)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := open("memcached a.invalid:11211", stores.FlaskSession, day); err != nil || two != one {
		t.Errorf("two handlers do not share: %v", err)
	}
	if two, err := open("memcached a.invalid", stores.FlaskSession, 2*day); err != nil || two == one {
		t.Errorf("what differs is shared: %v", err)
	}
	for text, says := range map[string]string{
		"memcached a b":                     "on one server only",
		"memcached a {\nkey_prefix app:\n}": "key_prefix belongs into the dialect's block",
	} {
		if _, err := open(text, stores.FlaskSession, day); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := open("memcached a", "php", day); err == nil || !strings.Contains(err.Error(), `it cannot keep sessions as "php" does`) {
		t.Errorf("%v", err)
	}
}
