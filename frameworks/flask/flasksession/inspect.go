package flasksession

import (
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/frameworks/flask/cachelib"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Inspect implements [dialects.Inspector]. input is a cookie's value, a record or a file of
// cachelib.
func (*Dialect) Inspect(input []byte, secrets []string, now time.Time) *dialects.Report {
	r := new(dialects.Report)
	id, signature, signed := strings.Cut(string(input), ".")
	switch codec := New(Options{}); {
	case !codec.ValidID(id) || signed && !codec.ValidID(signature):
		inspectRecord(r, input, now)
	case len(id) < minID:
		r.Wrong("neither a record nor a cookie of Flask-Session: an id of %d characters is too short", len(id))
	case signed && len(signature) != signatureLen:
		r.Wrong("neither a record nor a cookie of Flask-Session: a signature has %d characters, not %d", signatureLen, len(signature))
	default:
		inspectCookie(r, string(input), secrets, signed)
	}
	return r
}

const (
	// minID is the shortest value that is accepted as an id, in characters: the default of
	// SESSION_ID_LENGTH is 32 bytes, but an app may set fewer.
	minID = 8

	// signatureLen is the length of an HMAC-SHA1 in base64url.
	signatureLen = 27
)

func inspectCookie(r *dialects.Report, value string, secrets []string, signed bool) {
	if !signed {
		r.Add("kind", "cookie without a signature (use_signer off)")
		if len(secrets) > 0 {
			r.Wrong("no signature: with use_signer on, this cookie is not accepted")
		}
		return
	}
	r.Add("kind", "signed cookie (use_signer on)")
	if len(secrets) == 0 {
		r.Signature(0, false, false)
		return
	}
	cookies, err := newSigner(secrets)
	if err != nil {
		r.Wrong("%v", err)
		return
	}
	_, stale, ok := cookies.Verify(value)
	r.Signature(len(secrets), stale, ok)
}

func inspectRecord(r *dialects.Report, value []byte, now time.Time) {
	r.Add("kind", "record, %d bytes", len(value))
	codec := New(Options{})
	var rec sessionstore.Record
	err := codec.Decode(value, &rec)
	if err != nil {
		if inside, expiry, isFile := cachelib.Content(value); isFile {
			r.Add("file of cachelib", "%s", expiring(expiry, now))
			err = codec.Decode(inside, &rec)
		}
	}
	if err != nil {
		r.Wrong("%v", err)
		return
	}
	r.Add("serialization", "%s", formOf(&rec))
	r.Record(&rec)
}

func expiring(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "does not expire"
	case at.Before(now):
		return "expired at " + at.UTC().Format(time.RFC3339)
	default:
		return "expires at " + at.UTC().Format(time.RFC3339)
	}
}

var _ dialects.Inspector = (*Dialect)(nil)
