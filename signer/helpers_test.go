// What the tests of this package share.

package signer_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// alphabet is base64url's, in the order of the values.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// digests are the digests, each with its signature's length in characters.
var digests = map[signer.Digest]int{signer.SHA256: 43, signer.SHA1: 27}

func mustNew(t testing.TB, options signer.Options) *signer.Signer {
	t.Helper()
	s, err := signer.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keys makes a key ring of strings.
func keys(secrets ...string) [][]byte {
	ring := make([][]byte, len(secrets))
	for i, secret := range secrets {
		ring[i] = []byte(secret)
	}
	return ring
}

// wantVerified fails the test unless s verifies signed as value.
func wantVerified(t testing.TB, s *signer.Signer, signed, value string, stale bool) {
	t.Helper()
	gotValue, gotStale, ok := s.Verify(signed)
	if !ok || gotValue != value || gotStale != stale {
		t.Errorf("Verify(%q) = %q, stale %t, ok %t, want %q, stale %t, ok true",
			signed, gotValue, gotStale, ok, value, stale)
	}
}

// wantRefused fails the test unless s refuses signed, and says nothing about it.
func wantRefused(t testing.TB, s *signer.Signer, signed string) {
	t.Helper()
	if value, stale, ok := s.Verify(signed); ok || stale || value != "" {
		t.Errorf("Verify(%q) = %q, stale %t, ok %t, want it refused", signed, value, stale, ok)
	}
}
