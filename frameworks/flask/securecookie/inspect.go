package securecookie

import (
	"bytes"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Inspect implements [dialects.Inspector]. input is a cookie's value.
func (*Dialect) Inspect(input []byte, secrets []string, now time.Time) *dialects.Report {
	r := new(dialects.Report)
	r.Add("kind", "cookie, %d bytes", len(input))
	var payload []byte
	if len(secrets) > 0 {
		signer, err := NewSigner(secrets...)
		if err != nil {
			r.Wrong("%v", err)
			return r
		}
		var age time.Duration
		var stale, ok bool
		payload, age, stale, ok = signer.Open(string(input), now)
		r.Signature(len(secrets), stale, ok)
		if ok {
			r.Add("made", "%s, %s ago", now.Add(-age).UTC().Format(time.RFC3339), age)
		}
	} else {
		r.Signature(0, false, false)
	}
	if payload == nil { // not verified: read what stands before the time and the signature
		payload = beforeDot(beforeDot(input))
	}
	var rec sessionstore.Record
	if err := (Codec{}).Decode(payload, &rec); err != nil {
		r.Wrong("%v", err)
		return r
	}
	r.Record(&rec)
	return r
}

// beforeDot returns the part before the last dot, or nil if there is none.
func beforeDot(b []byte) []byte {
	return b[:max(bytes.LastIndexByte(b, '.'), 0)]
}

var _ dialects.Inspector = (*Dialect)(nil)
