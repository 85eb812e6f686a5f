package config

import (
	"crypto/tls"
	"testing"
	"time"
)

type limits struct{ Entries int }

type everyKind struct {
	Addrs    []string
	Password string
	DB       int
	Bytes    int64
	Cluster  bool
	Timeout  time.Duration
	Flags    uint32
	Texts    map[string][]string
	Cache    *limits
	Inside   limits
	TLS      *tls.Config
	OnState  func()
}

func TestFingerprint(t *testing.T) {
	seen := make(map[string]int)
	for i, parts := range [][]any{
		{everyKind{}},
		{everyKind{Addrs: []string{"a"}}},
		{everyKind{Addrs: []string{"a", "b"}}},
		{everyKind{Addrs: []string{`a";"b`}}},
		{everyKind{Password: "a"}},
		{everyKind{DB: 1}},
		{everyKind{Bytes: 1}},
		{everyKind{Cluster: true}},
		{everyKind{Timeout: 1}},
		{everyKind{Flags: 1}},
		{everyKind{Texts: map[string][]string{"a": {"b"}, "c": {"d"}, "e": {}}}},
		{everyKind{Texts: map[string][]string{"a": {"b"}, "c": {"d"}}}},
		{everyKind{Texts: map[string][]string{"a": {"d"}, "c": {"b"}}}},
		{everyKind{Cache: &limits{}}},
		{everyKind{Cache: &limits{1}}},
		{everyKind{Inside: limits{1}}},
		{everyKind{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}},
		{everyKind{}, []byte("ca")},
		{everyKind{}, ""},
		{"", everyKind{}},
		{"ab", "c"},
		{"a", "bc"},
	} {
		sum := Fingerprint(parts...)
		if again := Fingerprint(parts...); again != sum {
			t.Errorf("%d: two different fingerprints", i)
		}
		if other, taken := seen[sum]; taken {
			t.Errorf("%d and %d have the same fingerprint", i, other)
		}
		seen[sum] = i
	}
	if Fingerprint(everyKind{OnState: func() {}}) != Fingerprint(everyKind{}) {
		t.Error("a fingerprint covers a function")
	}
	if one, other := (everyKind{Cache: &limits{1}}), (everyKind{Cache: &limits{1}}); Fingerprint(one) != Fingerprint(other) {
		t.Error("a fingerprint covers the pointer instead of its target")
	}
	defer func() {
		if recover() == nil {
			t.Error("an unsupported kind was ignored")
		}
	}()
	Fingerprint(struct{ Any any }{1})
}
