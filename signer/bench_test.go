// What a request pays for its cookie.

package signer_test

import (
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// id is as long as a session id: 32 bytes in base64url.
var id = strings.Repeat("i", 43)

func BenchmarkSign(b *testing.B) {
	for digest := range digests {
		b.Run(string(digest), func(b *testing.B) {
			s := mustNew(b, signer.Options{Keys: keys("new key"), Digest: digest})
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Sign(id)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for digest := range digests {
		s := mustNew(b, signer.Options{Keys: keys("new key", "old key"), Digest: digest})
		signed := map[string]string{
			"first key":  s.Sign(id),
			"second key": mustNew(b, signer.Options{Keys: keys("old key"), Digest: digest}).Sign(id),
			"malformed":  id,
		}
		for name, text := range signed {
			b.Run(string(digest)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Verify(text)
				}
			})
		}
	}
}

func BenchmarkVerifyParallel(b *testing.B) {
	s := mustNew(b, signer.Options{Keys: keys("new key")})
	signed := s.Sign(id)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Verify(signed)
		}
	})
}
