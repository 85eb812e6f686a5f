// Every way in which somebody without a key might get a cookie accepted.

package signer_test

import (
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// eachDigest runs the attack on a value signed by s.
func eachDigest(t *testing.T, attack func(t *testing.T, s *signer.Signer, value, signature string)) {
	t.Helper()
	for digest, length := range digests {
		t.Run(string(digest), func(t *testing.T) {
			s := mustNew(t, signer.Options{Keys: keys("new key", "old key"), Salt: "salt", Digest: digest})
			const value = "fe8977c2-34a9-4945-acc0-6c6821944b9f"
			signature := strings.TrimPrefix(s.Sign(value), value+".")
			if len(signature) != length {
				t.Fatalf("signature %q has %d characters, want %d", signature, len(signature), length)
			}
			wantVerified(t, s, value+"."+signature, value, false)
			attack(t, s, value, signature)
		})
	}
}

func TestForgedSignature(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, signature string) {
		for i := range signature {
			for _, c := range []byte(alphabet) {
				if c != signature[i] {
					wantRefused(t, s, value+"."+signature[:i]+string(c)+signature[i+1:])
				}
			}
		}
		wantRefused(t, s, value+"."+strings.Repeat("A", len(signature)))
	})
}

func TestForgedValue(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, signature string) {
		for i := range value {
			wantRefused(t, s, value[:i]+string(value[i]^1)+value[i+1:]+"."+signature)
			wantRefused(t, s, value[:i]+value[i+1:]+"."+signature)
		}
		wantRefused(t, s, "."+signature)
		wantRefused(t, s, value+".."+signature)
		wantRefused(t, s, " "+value+"."+signature)
		wantRefused(t, s, value+"\x00."+signature)
	})
}

func TestTruncated(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, signature string) {
		signed := value + "." + signature
		for i := range signed {
			wantRefused(t, s, signed[:i])
		}
	})
}

func TestEmptySignature(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, _ string) {
		for _, signed := range []string{"", ".", "..", value, value + ".", "." + value} {
			wantRefused(t, s, signed)
		}
	})
}

// Two genuine cookies must not make a third.
func TestSwappedSignatures(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, signature string) {
		otherSignature := strings.TrimPrefix(s.Sign("other"), "other.")
		wantRefused(t, s, value+"."+otherSignature)
		wantRefused(t, s, "other."+signature)
		wantRefused(t, s, signature+"."+value)
		wantRefused(t, s, value+"."+signature+"."+otherSignature)
	})
}

// One session must not have several cookies: what counts or blocks them would be gone round by an
// attacker who writes the same signature differently.
func TestNonCanonicalBase64(t *testing.T) {
	eachDigest(t, func(t *testing.T, s *signer.Signer, value, signature string) {
		last := strings.IndexByte(alphabet, signature[len(signature)-1])
		head := signature[:len(signature)-1]
		for _, c := range []byte(alphabet) {
			if c != alphabet[last] { // some of these differ in unused bits only
				wantRefused(t, s, value+"."+head+string(c))
			}
		}
		for _, extra := range []string{"=", "==", "\n", "\r\n", " ", "A", "AA", "\x00", "%3D"} {
			wantRefused(t, s, value+"."+signature+extra)
			wantRefused(t, s, value+"."+extra+signature)
		}
		// As long as a signature, with bytes that lenient decoders skip.
		for _, skipped := range []string{"\n", "\r", "=", " "} {
			wantRefused(t, s, value+"."+head+skipped)
			wantRefused(t, s, value+"."+skipped+head)
			wantRefused(t, s, value+"."+head[:5]+skipped+head[5:])
		}
		// Skipped bytes in place of the last ones, up to all of them: what is left of the signature
		// is right.
		for i := range signature {
			wantRefused(t, s, value+"."+signature[:i]+strings.Repeat("\n", len(signature)-i))
		}
	})
}

// The standard alphabet of base64 says the same bits in other characters.
func TestStandardBase64(t *testing.T) {
	s := mustNew(t, signer.Options{Keys: keys("key")})
	standard := strings.NewReplacer("-", "+", "_", "/")
	seen := 0
	for i := range 64 {
		value := strings.Repeat("v", i)
		signed := s.Sign(value)
		if other := standard.Replace(signed); other != signed {
			seen++
			wantRefused(t, s, other)
		}
	}
	if seen == 0 {
		t.Error("no signature had a character that the alphabets differ in")
	}
}

// A signature made for one purpose must not serve another.
func TestSignatureOfAnotherPurpose(t *testing.T) {
	mine := signer.Options{Keys: keys("key"), Salt: "salt"}
	s := mustNew(t, mine)
	for name, change := range map[string]func(*signer.Options){
		"another salt":       func(o *signer.Options) { o.Salt = "another" },
		"no salt":            func(o *signer.Options) { o.Salt = "" },
		"another key":        func(o *signer.Options) { o.Keys = keys("another") },
		"another digest":     func(o *signer.Options) { o.Digest = signer.SHA1 },
		"another derivation": func(o *signer.Options) { o.Derivation = signer.DeriveDjangoConcat },
		"no derivation":      func(o *signer.Options) { o.Derivation = signer.DeriveNone },
		"another separator":  func(o *signer.Options) { o.Separator = ':' },
	} {
		t.Run(name, func(t *testing.T) {
			options := mine
			change(&options)
			other := mustNew(t, options)
			wantRefused(t, s, other.Sign("value"))
			wantRefused(t, other, s.Sign("value"))
		})
	}
}
