package phpsession

import (
	"cmp"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Inspect implements [dialects.Inspector]. input is a cookie's value or a record, which is the
// content of a file sess_<id>.
func (p *Dialect) Inspect(input []byte, secrets []string, _ time.Time) *dialects.Report {
	r := new(dialects.Report)
	id, _, ok := (cookies{}).Verify(string(input))
	if codec := New(Options{}); ok && codec.ValidID(id) {
		r.Add("kind", "cookie: an id of %d characters, which PHP does not sign", len(id))
		if len(secrets) > 0 {
			r.Wrong("PHP's session cookie has no signature: there is no secret")
		}
		return r
	}
	r.Add("kind", "record, %d bytes", len(input))
	forms := []serialize.Form{serialize.Form(cmp.Or(p.Serializer, string(serialize.PHP)))}
	if p.Serializer == "" {
		forms = serialize.Forms
	}
	var rec sessionstore.Record
	var first error
	for _, form := range forms {
		err := New(Options{Form: form}).Decode(input, &rec)
		if err == nil {
			r.Add("serializer", "%s", form)
			r.Record(&rec)
			return r
		}
		first = cmp.Or(first, err)
	}
	r.Wrong("%s", strings.TrimSpace(first.Error()))
	return r
}

var _ dialects.Inspector = (*Dialect)(nil)
