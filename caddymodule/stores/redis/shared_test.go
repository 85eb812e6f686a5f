package redis

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

func TestShared(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	open := func(text string, lifetime time.Duration) any {
		store, release, err := mustProvision(t, text).OpenShared(layout.Redis{}, lifetime)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		return store
	}
	s := mustProvision(t, "redis shared.invalid")
	own, release, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	one := open("redis shared.invalid", day)
	if open("redis shared.invalid:6379", day) != one {
		t.Error("two handlers with the same options do not share a store")
	}
	if one == any(own) || open("redis shared.invalid", 2*day) == one || open("redis shared.invalid {\nnear_cache\n}", day) == one {
		t.Error("stores with different options are shared")
	}
	for text, says := range map[string]string{
		"redis {\nkey_prefix app:\n}":     "store redis: key_prefix: set it in the block of the dialect",
		"redis {\nkey_prefix session:\n}": "store redis: key_prefix: set it in the block of the dialect",
	} {
		_, _, err := mustProvision(t, text).OpenShared(layout.Redis{}, day)
		fails(t, err, says)
	}
	_, _, err = s.OpenShared(layout.File{}, day)
	fails(t, err, `store redis: the layout layout.File is not supported`)
}
