package admin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"net/http"
)

// The cursor of a store holds a key. In the store of an app, the key holds the id of a session. So
// operators get cursors that only this process can read.
var cursors = func() cipher.AEAD {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the right length
	}
	sealed, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealed
}()

// seal returns a cursor of this store for an operator.
func (p *part) seal(cursor string) string {
	if cursor == "" {
		return ""
	}
	sealed := cursors.Seal(nil, nil, []byte(cursor), []byte(p.Name)) //nolint:gosec // it adds a random nonce
	return base64.RawURLEncoding.EncodeToString(sealed)
}

var errAfter = refuse(http.StatusBadRequest, "after: it is not from a list of this store in this process; begin the list anew")

// cursor reads what seal has returned.
func (p *part) cursor(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", errAfter
	}
	cursor, err := cursors.Open(nil, nil, raw, []byte(p.Name))
	if err != nil {
		return "", errAfter
	}
	return string(cursor), nil
}
