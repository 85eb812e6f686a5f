package securecookie

import (
	"time"

	"github.com/caddy-session/caddy-session/signer"
)

// salt is the salt of Flask's signed cookies.
const salt = "cookie-session"

// DefaultName is Flask's default for SESSION_COOKIE_NAME.
const DefaultName = "session"

// DefaultLifetime is Flask's default for PERMANENT_SESSION_LIFETIME.
const DefaultLifetime = 31 * 24 * time.Hour

// Signer signs and verifies the cookie's value. Make one with [NewSigner]. It is safe for
// concurrent use.
type Signer struct{ timed *signer.Timed }

// NewSigner returns the signer of an app with these secrets: its SECRET_KEY, which signs, then its
// SECRET_KEY_FALLBACKS, which only verify. It returns an error if there is no secret or an empty
// one.
func NewSigner(secrets ...string) (*Signer, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	timed, err := signer.NewTimed(signer.Options{Keys: keys, Salt: salt, Digest: signer.SHA1, Derivation: signer.DeriveHMAC})
	if err != nil {
		return nil, err
	}
	return &Signer{timed}, nil
}

// Seal returns the cookie's value for a payload that [Codec] encoded.
func (s *Signer) Seal(payload []byte, now time.Time) string {
	return s.timed.Sign(string(payload), now)
}

// maxSkew is how far the app's clock may be ahead of this one.
const maxSkew = time.Minute

// Open verifies a cookie's value and returns the payload for [Codec] and its age in whole seconds.
// ok is false if the signature is wrong or the cookie is more than a minute in the future. stale is
// true if a secret other than the first one signed it.
func (s *Signer) Open(value string, now time.Time) (payload []byte, age time.Duration, stale, ok bool) {
	text, at, stale, ok := s.timed.Verify(value)
	if !ok {
		return nil, 0, false, false
	}
	age = now.Truncate(time.Second).Sub(at)
	if age < -maxSkew {
		return nil, 0, false, false
	}
	return []byte(text), max(age, 0), stale, true
}
