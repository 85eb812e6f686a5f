package signer

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// Timed is a [Signer] in the format of itsdangerous.TimestampSigner: the value, a separator, the
// time in base64url without padding, a separator, and the HMAC of all that. [NewTimed] makes it. It
// is safe for concurrent use.
//
// The time is in Unix seconds, as in itsdangerous since 1.1. Older versions counted from 2011.
type Timed struct {
	signer *Signer
}

// NewTimed returns a Timed for these options. Its errors are those of [New].
func NewTimed(options Options) (*Timed, error) {
	s, err := New(options)
	if err != nil {
		return nil, err
	}
	return &Timed{s}, nil
}

// Sign returns value and the time, to the second, signed with the first key. A time before 1970
// counts as 1970.
func (t *Timed) Sign(value string, at time.Time) string {
	return t.signer.Sign(value + t.signer.separator + encodeTime(at))
}

// encodeTime leaves out leading zero bytes, as itsdangerous does.
func encodeTime(at time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(max(at.Unix(), 0)))
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Verify splits a signed value at its last two separators. If one of the keys made the signature,
// and there is a time, ok is true, and value and at are what was signed. stale says that it was not
// the first key. The caller decides how old a value may be.
func (t *Timed) Verify(signed string) (value string, at time.Time, stale, ok bool) {
	both, stale, ok := t.signer.Verify(signed)
	if !ok {
		return "", time.Time{}, false, false
	}
	i := strings.LastIndexByte(both, t.signer.separator[0])
	if i < 0 {
		return "", time.Time{}, false, false
	}
	at, ok = decodeTime(both[i+1:])
	if !ok {
		return "", time.Time{}, false, false
	}
	return both[:i], at, stale, true
}

// maxTime is the end of the year 9999. No program signs with a later time.
const maxTime = 253402300799

func decodeTime(text string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) > 8 {
		return time.Time{}, false
	}
	var seconds uint64
	for _, c := range b {
		seconds = seconds<<8 | uint64(c)
	}
	if seconds > maxTime {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// String names the signer without its keys.
func (t *Timed) String() string { return "signer.Timed" }
