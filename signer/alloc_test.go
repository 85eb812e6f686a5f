// The race detector makes sync.Pool forget at random, so that allocations say nothing there.

//go:build !race

package signer_test

import (
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

func TestAllocations(t *testing.T) {
	for digest := range digests {
		for _, value := range []string{"", strings.Repeat("i", 43), strings.Repeat("long", 1000)} {
			s := mustNew(t, signer.Options{Keys: keys("new key", "old key"), Digest: digest})
			fresh := s.Sign(value)
			stale := mustNew(t, signer.Options{Keys: keys("old key"), Digest: digest}).Sign(value)
			forged := mustNew(t, signer.Options{Keys: keys("no key"), Digest: digest}).Sign(value)
			for _, test := range []struct {
				name string
				want float64
				f    func()
			}{
				{"Verify fresh", 0, func() { s.Verify(fresh) }},
				{"Verify stale", 0, func() { s.Verify(stale) }},
				{"Verify forged", 0, func() { s.Verify(forged) }},
				{"Verify unsigned", 0, func() { s.Verify(value) }},
				{"Sign", 1, func() { _ = s.Sign(value) }},
			} {
				if got := testing.AllocsPerRun(100, test.f); got > test.want {
					t.Errorf("%s, %s, %d bytes: %v allocations, want %v", digest, test.name, len(value), got, test.want)
				}
			}
		}
	}
}
