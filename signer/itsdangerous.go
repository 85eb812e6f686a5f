package signer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// defaultSeparator stands between a value and its signature unless [Options.Separator] says
// otherwise.
const defaultSeparator = '.'

// Options configures a [Signer]. To share values with a Python program, all of them must be what
// that program gives its itsdangerous.Signer.
type Options struct {
	// Keys are the secrets. The first one signs, all of them verify. At least one is needed, and
	// none may be empty.
	//
	// itsdangerous lists its keys the other way round, oldest first, and signs with the last:
	// reverse the list to share it.
	Keys [][]byte `json:"-"`

	// Salt tells the purposes of signatures made with one key apart; it need not be secret. It is
	// taken as it is: empty means an empty salt, not itsdangerous' own default, which is
	// "itsdangerous.Signer".
	Salt string

	// Digest is the hash function. Default: SHA256 (itsdangerous: SHA1).
	Digest Digest

	// Derivation makes the HMAC's key out of a secret and the salt. Default: DeriveHMAC
	// (itsdangerous: DeriveDjangoConcat).
	Derivation Derivation

	// Separator is the byte between value and signature: any but zero, which means the default '.',
	// and those that base64url can hold (letters, digits, '-', '_' and '='). Whether a cookie can
	// hold it is up to the caller.
	Separator byte
}

// String names the options without the keys.
func (o Options) String() string {
	return fmt.Sprintf("signer.Options(%d keys)", len(o.Keys))
}

// Format implements [fmt.Formatter], so that no verb prints the keys.
func (o Options) Format(state fmt.State, _ rune) {
	_, _ = state.Write([]byte(o.String()))
}

// Signer signs and verifies values in the format of itsdangerous.Signer: the value as it is, a
// separator, and the value's HMAC in base64url without padding. It is made by [New] and safe for
// concurrent use.
//
// Sign and Verify hash all of what they are given, Verify once for each key until one fits. The
// caller bounds the length of what comes from outside.
type Signer struct {
	ring      *keyring
	separator string // one byte
}

// New returns a Signer for these options. It copies the keys and derives what it needs from them
// once. It returns an error if there is no key, if a key is empty, if the separator could be part
// of a signature, or if the digest or the derivation is unknown. No error holds a key.
func New(options Options) (*Signer, error) {
	separator := options.Separator
	if separator == 0 {
		separator = defaultSeparator
	}
	if inBase64URL(separator) {
		return nil, fmt.Errorf("separator %q could be part of a signature", separator)
	}
	newHash, err := options.Digest.hash()
	if err != nil {
		return nil, err
	}
	if len(options.Keys) == 0 {
		return nil, errors.New("no keys to sign with")
	}
	keys := make([][]byte, len(options.Keys))
	for i, secret := range options.Keys {
		if len(secret) == 0 {
			return nil, fmt.Errorf("key %d of %d is empty", i+1, len(keys))
		}
		keys[i], err = options.Derivation.derive(secret, options.Salt, newHash)
		if err != nil {
			return nil, err
		}
	}
	return &Signer{
		ring:      newKeyring(keys, newHash, base64.RawURLEncoding.Strict()),
		separator: string([]byte{separator}),
	}, nil
}

// Sign returns value, signed with the first key. Any bytes can be signed, also none and also those
// of the separator.
func (s *Signer) Sign(value string) string {
	var text [maxText]byte
	signature := s.ring.appendSignature(text[:0], value)
	var signed strings.Builder
	signed.Grow(len(value) + len(s.separator) + len(signature))
	signed.WriteString(value)
	signed.WriteString(s.separator)
	signed.Write(signature)
	return signed.String()
}

// Verify takes a signed value apart at its last separator. If one of the keys made the signature,
// ok is true and value is what was signed; stale says that it was another than the first key, so
// that the value should be signed anew. Otherwise value is empty. Verify allocates nothing.
func (s *Signer) Verify(signed string) (value string, stale, ok bool) {
	at := strings.LastIndexByte(signed, s.separator[0])
	if at < 0 {
		return "", false, false
	}
	key := s.ring.verify(signed[:at], signed[at+1:])
	if key < 0 {
		return "", false, false
	}
	return signed[:at], key > 0, true
}

// String names the signer without its keys.
func (s *Signer) String() string {
	return "signer.Signer"
}

// Format implements [fmt.Formatter], so that no verb prints the keys.
func (s *Signer) Format(state fmt.State, _ rune) {
	_, _ = state.Write([]byte(s.String()))
}

// inBase64URL reports whether b can occur in base64url, padding included: itsdangerous refuses it
// as a separator too.
func inBase64URL(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' ||
		b == '-' || b == '_' || b == '='
}

var (
	_ fmt.Formatter = (*Signer)(nil)
	_ fmt.Formatter = Options{}
)
