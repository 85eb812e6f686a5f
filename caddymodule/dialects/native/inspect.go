package native

import (
	"bytes"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/signer"
)

// signatureLen is the length of a signature, and of an id: 32 bytes in base64url.
const signatureLen = 43

// Salt separates the signatures of our cookies from others that are made with the same key.
const Salt = "caddy-session"

// Inspect implements [dialects.Inspector].
func (*Dialect) Inspect(input []byte, secrets []string, now time.Time) *dialects.Report {
	r := new(dialects.Report)
	if len(input) > 0 && input[0] == sessionstore.FormatNative || bytes.HasPrefix(input, []byte(sessionstore.MovingMark)) {
		inspectRecord(r, input, now)
	} else {
		inspectCookie(r, string(input), secrets)
	}
	return r
}

func inspectCookie(r *dialects.Report, value string, secrets []string) {
	if id, signature, signed := strings.Cut(value, "."); !signed || !sessionstore.ValidID(id) || len(signature) != signatureLen {
		r.Wrong("neither a cookie of this handler (<id>.<signature> with %d characters each) nor a record", signatureLen)
		return
	}
	r.Add("kind", "cookie")
	if len(secrets) == 0 {
		r.Signature(0, false, false)
		return
	}
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	s, err := signer.New(signer.Options{Keys: keys, Salt: Salt})
	if err != nil {
		r.Wrong("%v", err)
		return
	}
	id, stale, ok := s.Verify(value)
	r.Signature(len(keys), stale, ok)
	if ok {
		r.Add("ref", "%s", sessionstore.Ref(id))
		r.Add("key in the store", "%s", sessionstore.Ref(id))
	}
}

func inspectRecord(r *dialects.Report, value []byte, now time.Time) {
	r.Add("kind", "record, %d bytes", len(value))
	var rec sessionstore.Record
	if err := (sessionstore.Native{}).Decode(value, &rec); err != nil {
		r.Wrong("%v", err)
		return
	}
	r.Add("state", "%s", [...]string{"live", "ended", "ended; leads to a successor", "a list of the sessions of a user"}[rec.State])
	r.Add("created", "%s, %s ago", rec.Created.UTC().Format(time.RFC3339), now.Sub(rec.Created).Round(time.Second))
	r.Add("idle timeout", "%s", rec.Idle)
	if rec.Keep > rec.Idle {
		r.Add("kept for lasting cookies", "%s", rec.Keep)
	}
	if rec.Browser != "" {
		r.Add("second cookie", "set; the browser has sent it: %t", rec.BrowserSeen)
	}
	r.Add("scope", "%q", rec.Scope)
	r.Record(&rec)
	if len(rec.Vault) == 0 {
		return
	}
	kept, err := vault.Decode(rec.Vault)
	if err != nil {
		r.Wrong("the vaulted cookies: %v", err)
		return
	}
	r.Add("vaulted cookies", "%d", len(kept.Cookies()))
}

var _ dialects.Inspector = (*Dialect)(nil)
