package flasksession

import (
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/frameworks/flask/cachelib"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Inspect implements [dialects.Inspector]. A record may be a file of cachelib's, too.
func (*Dialect) Inspect(input []byte, secrets []string, now time.Time) *dialects.Report {
	r := new(dialects.Report)
	id, signature, signed := strings.Cut(string(input), ".")
	switch codec := New(Options{}); {
	case !codec.ValidID(id) || signed && !codec.ValidID(signature):
		inspectRecord(r, input, now)
	case len(id) < minID:
		r.Wrong("it is neither a record nor a cookie of Flask-Session's: an id of %d characters is not one that it makes", len(id))
	case signed && len(signature) != signatureLen:
		r.Wrong("it is neither a record nor a cookie of Flask-Session's: a signature has %d characters, and not %d", signatureLen, len(signature))
	default:
		inspectCookie(r, string(input), secrets, signed)
	}
	return r
}

const (
	// minID is the length of the shortest id: SESSION_ID_LENGTH is 32 bytes, and may be set to
	// fewer.
	minID = 8

	// signatureLen is that of SHA-1 in base64url.
	signatureLen = 27
)

func inspectCookie(r *dialects.Report, value string, secrets []string, signed bool) {
	if !signed {
		r.Add("kind", "cookie without a signature (use_signer off)")
		if len(secrets) > 0 {
			r.Wrong("it has no signature: with use_signer on, it is nobody's")
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
			r.Add("in a file of cachelib's", "%s", expiring(expiry, now))
			err = codec.Decode(inside, &rec)
		}
	}
	if err != nil {
		r.Wrong("%v", err)
		return
	}
	r.Add("serialization", "%s", FormOf(&rec))
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
