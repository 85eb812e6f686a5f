// Package signer makes cookie values that cannot be forged: it appends a keyed signature to a value
// and later says whether a signature is genuine, which of several keys made it, and whether it is
// time to sign anew.
//
// [Signer] speaks the format of Python's itsdangerous, so that what one side signs the other
// verifies. Each further format is one more file over the same keyring.
//
// Three rules hold for every format:
//
//   - The first key signs and every key verifies. To rotate, put a new key in
//     front; values signed by another key come back as stale.
//   - A value has exactly one valid signed form for each key. Base64 with
//     padding, line breaks or stray trailing bits is refused, although
//     itsdangerous accepts most of that: no session has two different cookies.
//   - A forged value is an outcome and not an error: it happens to every public
//     server all day, and the caller goes on as if there had been no cookie.
//
// Values are signed, not encrypted: whoever holds one can read it.
package signer
