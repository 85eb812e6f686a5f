package securecookie

import (
	"time"

	"github.com/caddy-session/caddy-session/signer"
)

// salt is what Flask tells the signatures of its cookie by.
const salt = "cookie-session"

// DefaultName is Flask's default for SESSION_COOKIE_NAME.
const DefaultName = "session"

// DefaultLifetime is Flask's default for PERMANENT_SESSION_LIFETIME.
const DefaultLifetime = 31 * 24 * time.Hour

// Signer makes and reads the values of the cookie. It is made by [NewSigner] and safe for
// concurrent use.
type Signer struct{ timed *signer.Timed }

// NewSigner returns the signer of an app with these secrets: its SECRET_KEY, which signs, and its
// SECRET_KEY_FALLBACKS, which verify too. It returns an error if there is none, or if one is empty.
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

// Seal returns the cookie's value for what [Codec] has encoded.
func (s *Signer) Seal(payload []byte, now time.Time) string {
	return s.timed.Sign(string(payload), now)
}

// maxSkew is how far the app's clock may be ahead of ours.
const maxSkew = time.Minute

// Open returns what [Codec] is to decode, and how old it is, to the second. ok is false if the
// cookie is not the app's, or comes from more than a minute in the future. stale says that another
// than the first secret has signed it.
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
