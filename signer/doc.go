// Package signer makes cookie values that cannot be forged. It appends a keyed signature to a
// value. Later it says whether a signature is genuine, which of several keys made it, and whether
// the value should be signed again.
//
// [Signer] has the format of Python's itsdangerous: each side verifies what the other side signs.
// [Timed] adds the time. Each further format is one more file that uses the same keyring.
//
// Three rules hold for every format:
//
//   - The first key signs and every key verifies. To rotate keys, put the new key in front. Values
//     that another key has signed are then stale.
//   - A value has exactly one valid signed form for each key, so that no session has two different
//     cookies. Base64 with padding, line breaks or stray trailing bits is refused, although
//     itsdangerous accepts most of that.
//   - A forged value is an outcome and not an error. Every public server gets them all day, and the
//     caller goes on as if there were no cookie.
//
// Values are signed, not encrypted: everybody who has one can read it.
package signer
