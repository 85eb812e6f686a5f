package phpsession

import "net/url"

// defaultName is PHP's default for session.name.
const defaultName = "PHPSESSID"

// cookies is the form of PHP's session cookie: the id, with percent-encoding.
type cookies struct{}

// Sign implements [dialects.Cookies].
func (cookies) Sign(id string) string { return url.QueryEscape(id) }

// Verify implements [dialects.Cookies]. The codec checks the id.
func (cookies) Verify(value string) (id string, stale, ok bool) {
	id, err := url.QueryUnescape(value)
	return id, false, err == nil
}
