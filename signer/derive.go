package signer

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
)

// Digest is the hash function of an HMAC and of a [Derivation]. The zero value means [SHA256].
type Digest string

const (
	// SHA256 makes signatures of 32 bytes, 43 characters.
	SHA256 Digest = "sha256"

	// SHA1 makes signatures of 20 bytes, 27 characters. It is the default of Flask and
	// itsdangerous. Collisions in SHA-1 do not break HMAC, but new programs should not choose it.
	SHA1 Digest = "sha1"
)

// hash returns the function that makes a new hash.
func (d Digest) hash() (func() hash.Hash, error) {
	switch d {
	case SHA256, "":
		return sha256.New, nil
	case SHA1:
		return sha1.New, nil
	}
	return nil, fmt.Errorf("unknown digest %q", string(d))
}

// Derivation says how the key of the HMAC is made from a secret and a salt, with the names that
// itsdangerous uses. The zero value means [DeriveHMAC].
//
// No derivation makes a good key from a short password: use long random keys.
type Derivation string

const (
	// DeriveHMAC is HMAC(secret, salt). Flask and this project use it.
	DeriveHMAC Derivation = "hmac"

	// DeriveDjangoConcat is digest(salt + "signer" + secret). It is the default of Django and
	// itsdangerous.
	DeriveDjangoConcat Derivation = "django-concat"

	// DeriveConcat is digest(salt + secret).
	DeriveConcat Derivation = "concat"

	// DeriveNone uses the secret as it is. The salt has no effect, so a value that was signed for
	// one purpose is valid for all others.
	DeriveNone Derivation = "none"
)

// derive returns the key of the HMAC. It never returns the slice secret itself.
func (d Derivation) derive(secret []byte, salt string, newHash func() hash.Hash) ([]byte, error) {
	switch d {
	case DeriveHMAC, "":
		mac := hmac.New(newHash, secret)
		mac.Write([]byte(salt))
		return mac.Sum(nil), nil
	case DeriveDjangoConcat:
		return digest(newHash, salt+"signer", secret), nil
	case DeriveConcat:
		return digest(newHash, salt, secret), nil
	case DeriveNone:
		return bytes.Clone(secret), nil
	}
	return nil, fmt.Errorf("unknown key derivation %q", string(d))
}

func digest(newHash func() hash.Hash, prefix string, secret []byte) []byte {
	h := newHash()
	h.Write([]byte(prefix))
	h.Write(secret)
	return h.Sum(nil)
}
