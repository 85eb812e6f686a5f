package signer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// defaultSeparator is the byte between a value and its signature, unless [Options.Separator] is
// set.
const defaultSeparator = '.'

// Options configures a [Signer]. To share values with a Python program, all of them must be what
// that program gives its itsdangerous.Signer.
type Options struct {
	// Keys are the secrets. The first one signs, all of them verify. At least one is needed, and
	// none may be empty.
	//
	// itsdangerous lists its keys oldest first and signs with the last one. To share its list,
	// reverse it.
	Keys [][]byte `json:"-"`

	// Salt distinguishes signatures that one key makes for several purposes. It need not be secret.
	// An empty salt is used as it is. (itsdangerous: the default is "itsdangerous.Signer".)
	Salt string

	// Digest is the hash function. Default: SHA256 (itsdangerous: SHA1).
	Digest Digest

	// Derivation makes the key of the HMAC from a secret and the salt. Default: DeriveHMAC
	// (itsdangerous: DeriveDjangoConcat).
	Derivation Derivation

	// Separator is the byte between value and signature. It must not be a byte of base64url: a
	// letter, a digit, '-', '_' or '='. The caller makes sure that a cookie can contain it.
	// Default: '.'.
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
// separator, and the value's HMAC in base64url without padding. [New] makes it. It is safe for
// concurrent use.
//
// Sign and Verify hash the whole value, Verify once for each key until one matches. The caller
// limits the length of values that come from outside.
type Signer struct {
	ring      *keyring
	separator string // one byte
}

// New returns a Signer for these options. It does not keep the slices of the keys. It returns an
// error if there is no key, if a key is empty, if the separator could be part of a signature, or if
// the digest or the derivation is unknown. No error contains a key.
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

// Sign returns value, signed with the first key. A value may have any bytes, the separator too, and
// may be empty.
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

// Verify splits a signed value at its last separator. If one of the keys made the signature, ok is
// true and value is what was signed. stale says that it was not the first key, so that the value
// should be signed again. Otherwise value is empty. Verify allocates nothing.
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

// inBase64URL reports whether b can occur in base64url, with the padding. itsdangerous refuses such
// separators too.
func inBase64URL(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' ||
		b == '-' || b == '_' || b == '='
}

var (
	_ fmt.Formatter = (*Signer)(nil)
	_ fmt.Formatter = Options{}
)
