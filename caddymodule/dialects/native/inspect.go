package native

import (
	"encoding/base64"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/vault"
	"github.com/caddy-session/caddy-session/signer"
)

// Salt is what tells our signatures from others made with the same key.
const Salt = "caddy-session"

// Inspect implements [dialects.Inspector].
func (*Dialect) Inspect(input []byte, secrets []string, now time.Time) *dialects.Report {
	r := new(dialects.Report)
	if len(input) > 0 && input[0] == sessionstore.FormatNative {
		inspectRecord(r, input, now)
	} else {
		inspectCookie(r, string(input), secrets)
	}
	return r
}

func inspectCookie(r *dialects.Report, value string, secrets []string) {
	r.Add("kind", "cookie")
	var keys [][]byte
	for _, secret := range secrets {
		keys = append(keys, []byte(secret))
		if generated, err := base64.StdEncoding.DecodeString(secret); err == nil { // as Caddy's storage has one
			keys = append(keys, generated)
		}
	}
	if len(keys) == 0 {
		r.Signature(0, false, false)
		return
	}
	s, err := signer.New(signer.Options{Keys: keys, Salt: Salt})
	if err != nil {
		r.Wrong("%v", err)
		return
	}
	id, _, ok := s.Verify(value)
	r.Signature(len(keys), false, ok)
	switch {
	case ok && sessionstore.ValidID(id):
		r.Add("ref", "%s", sessionstore.Ref(id))
		r.Add("key in the store", "%s", sessionstore.Ref(id))
	case ok:
		r.Wrong("what was signed is no id of a session")
	}
}

func inspectRecord(r *dialects.Report, value []byte, now time.Time) {
	r.Add("kind", "record, %d bytes", len(value))
	var rec sessionstore.Record
	if err := (sessionstore.Native{}).Decode(value, &rec); err != nil {
		r.Wrong("%v", err)
		return
	}
	r.Add("state", "%s", [...]string{"live", "ended", "alias of a regenerated session"}[rec.State])
	r.Add("created", "%s, %s ago", rec.Created.UTC().Format(time.RFC3339), now.Sub(rec.Created).Round(time.Second))
	r.Add("idle timeout", "%s", rec.Idle)
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
