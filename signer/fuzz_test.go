// Random bytes, and random changes to what has been signed.

package signer_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// FuzzVerify looks for a panic, for a value with two signed forms, and for a change to a signed
// value that goes unnoticed: place and flip change a byte of what the first key has signed.
func FuzzVerify(f *testing.F) {
	const first, second = "first key", "second key"
	for _, digest := range []signer.Digest{signer.SHA256, signer.SHA1} {
		for i, secret := range []string{first, second, "no key of ours"} {
			s := mustNew(f, signer.Options{Keys: keys(secret), Salt: "fuzz", Digest: digest})
			f.Add(s.Sign("value"), uint(i), byte(1))
			f.Add(s.Sign(""), uint(0), byte(0x80))
			f.Add(s.Sign("a.b.")+"=", uint(50), byte('\n'))
		}
	}
	f.Add("", uint(0), byte(0))
	f.Add(".", uint(1), byte(3))

	type ring struct{ both, first, second *signer.Signer }
	var rings []ring
	for _, digest := range []signer.Digest{signer.SHA256, signer.SHA1} {
		with := func(secrets ...string) *signer.Signer {
			return mustNew(f, signer.Options{Keys: keys(secrets...), Salt: "fuzz", Digest: digest})
		}
		rings = append(rings, ring{with(first, second), with(first), with(second)})
	}
	f.Fuzz(func(t *testing.T, text string, place uint, flip byte) {
		for _, r := range rings {
			if value, stale, ok := r.both.Verify(text); ok {
				by := r.first
				if stale {
					by = r.second
				}
				if again := by.Sign(value); again != text {
					t.Errorf("%q verifies, but %q signs anew as %q", text, value, again)
				}
			} else if value != "" || stale {
				t.Errorf("Verify(%q) = %q, stale %t without ok", text, value, stale)
			}

			signed := r.both.Sign(text)
			wantVerified(t, r.both, signed, text, false)
			wantVerified(t, r.both, r.second.Sign(text), text, true)
			changed := []byte(signed)
			changed[place%uint(len(changed))] ^= flip
			if flip != 0 {
				wantRefused(t, r.both, string(changed))
			}
		}
	})
}
