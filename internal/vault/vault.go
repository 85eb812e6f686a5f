// Package vault keeps the cookies that an app sets on the server, instead of in the browser. It
// follows draft-ietf-httpbis-rfc6265bis-22. The comments name its sections.
//
// It follows the attribute SameSite as far as a server knows where a request comes from: see
// [Request]. For the rest, the browser obeys the SameSite of the session cookie.
package vault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MaxCookies is the maximum number of cookies in a vault.
	MaxCookies = 100

	// MaxSize is the maximum size of a vault in its stored form, in bytes.
	MaxSize = 64 << 10

	// MaxHeader is the maximum size of the cookies that are added to one request, in bytes.
	MaxHeader = 16 << 10
)

// ErrTooLarge means that a vault would be beyond one of its limits.
var ErrTooLarge = errors.New("too many or too large cookies")

// Vault holds cookies in the order of their creation, one for each name, domain, HostOnly and path.
// The zero value is empty. A Vault is immutable and safe for concurrent use.
type Vault struct {
	cookies []Cookie
}

// Lasting returns the cookies that outlive the browser, and when the last of them ends. That is
// zero if there is none.
func (v Vault) Lasting(now time.Time) (lasting Vault, end time.Time) {
	for _, c := range v.cookies {
		if c.Expires.IsZero() || c.expired(now) {
			continue
		}
		lasting.cookies = append(lasting.cookies, c)
		if c.Expires.After(end) {
			end = c.Expires
		}
	}
	return lasting, end
}

// Cookies returns all cookies. The caller must not change the slice.
func (v Vault) Cookies() []Cookie { return v.cookies }

// Apply returns the vault with the cookies that a response has set, and without those that it has
// deleted or that have expired. newID says that the session needs a new id because of one of them.
// An error wraps [ErrTooLarge].
func (v Vault) Apply(set []Received, now time.Time) (next Vault, newID bool, err error) {
	next.cookies = make([]Cookie, 0, len(v.cookies)+len(set))
	for i := range v.cookies {
		if !v.cookies[i].expired(now) {
			next.cookies = append(next.cookies, v.cookies[i])
		}
	}
	before := Vault{slices.Clone(next.cookies)}
	for i := range set {
		next.receive(&set[i], now)
		if len(next.cookies) > MaxCookies {
			return v, false, fmt.Errorf("%w: more than %d cookies", ErrTooLarge, MaxCookies)
		}
	}
	if size := next.size(); size > MaxSize {
		return v, false, fmt.Errorf("%w: cookies of %d bytes, at most %d are kept", ErrTooLarge, size, MaxSize)
	}
	if size := next.longest(); size > MaxHeader {
		return v, false, fmt.Errorf("%w: %d bytes of cookies for one request, at most %d are sent", ErrTooLarge, size, MaxHeader)
	}
	newID = slices.ContainsFunc(set, func(r Received) bool { return r.callsForNewID(&before, &next) })
	return next, newID, nil
}

// Unchanged returns those cookies of set that have the same value in v as in given, or are missing
// in both.
func (v Vault) Unchanged(given Vault, set []Received) (unchanged []Received) {
	for i := range set {
		if v.value(&set[i].cookie) == given.value(&set[i].cookie) {
			unchanged = append(unchanged, set[i])
		}
	}
	return unchanged
}

// WithoutReplaced returns v without the cookies that have the same value in v as in was, and
// another or none in is.
func (v Vault) WithoutReplaced(was, is Vault) Vault {
	return Vault{slices.DeleteFunc(slices.Clone(v.cookies), func(c Cookie) bool {
		value := was.value(&c)
		return v.value(&c) == value && is.value(&c) != value
	})}
}

// value returns the value of the cookie with the identity of c, and whether there is one.
func (v *Vault) value(c *Cookie) (value struct {
	text  string
	found bool
}) {
	if i := v.index(c); i >= 0 {
		value.text, value.found = v.cookies[i].Value, true
	}
	return value
}

// receive does the steps 16, 23 and 24 of section 5.7, which depend on the other cookies.
func (v *Vault) receive(r *Received, now time.Time) {
	if r.insecure && !r.cookie.Secure && slices.ContainsFunc(v.cookies, r.overlays) {
		return
	}
	i := v.index(&r.cookie)
	switch {
	case r.cookie.expired(now):
		if i >= 0 {
			v.cookies = slices.Delete(v.cookies, i, i+1)
		}
	case i >= 0:
		v.cookies[i] = r.cookie // in its place, since it keeps its creation time
	default:
		v.cookies = append(v.cookies, r.cookie)
	}
}

// overlays reports whether a cookie from an insecure connection would hide or replace a secure one.
func (r *Received) overlays(old Cookie) bool {
	c := &r.cookie
	return old.Secure && old.Name == c.Name && pathMatches(c.Path, old.Path) &&
		(domainMatches(old.Domain, c.Domain) || domainMatches(c.Domain, old.Domain))
}

func (v *Vault) index(c *Cookie) int {
	for i := range v.cookies {
		if v.cookies[i].same(c) {
			return i
		}
	}
	return -1
}

// Header returns what the vault adds to the Cookie header of a request: its cookies as
// "name=value", separated by "; ", those with longer paths first, then the older ones (section
// 5.8.3). It is at most [MaxHeader] long.
func (v Vault) Header(req Request, now time.Time) string {
	var room [8]*Cookie
	chosen := room[:0]
	size := 0
	for i := range v.cookies {
		if c := &v.cookies[i]; !c.expired(now) && c.goesWith(&req) {
			chosen = append(chosen, c)
			size += c.sent()
		}
	}
	slices.SortStableFunc(chosen, func(a, b *Cookie) int { return len(b.Path) - len(a.Path) })
	var b strings.Builder
	b.Grow(size)
	for i, c := range chosen {
		if i > 0 {
			b.WriteString(separator)
		}
		if c.Name != "" {
			b.WriteString(c.Name)
			b.WriteByte('=')
		}
		b.WriteString(c.Value)
	}
	return b.String()
}

const separator = "; "

// sent is the maximum number of bytes that the cookie adds to a header.
func (c *Cookie) sent() int { return len(c.Name) + len("=") + len(c.Value) + len(separator) }

// longest returns the size of the longest header that a request could be given. Of the cookies of
// any request, all go with one for the longest of their domains and the longest of their paths: no
// others need be tried.
func (v *Vault) longest() int {
	all := 0
	for i := range v.cookies {
		all += v.cookies[i].sent()
	}
	if all <= MaxHeader {
		return all
	}
	tried := make(map[[2]string]bool)
	longest := 0
	for i := range v.cookies {
		for j := range v.cookies {
			host, path := v.cookies[i].Domain, v.cookies[j].Path
			if tried[[2]string{host, path}] {
				continue
			}
			tried[[2]string{host, path}] = true
			longest = max(longest, v.sentTo(Request{Host: host, Path: path, Secure: true}))
		}
	}
	return longest
}

func (v *Vault) sentTo(req Request) (size int) {
	for i := range v.cookies {
		if v.cookies[i].goesWith(&req) {
			size += v.cookies[i].sent()
		}
	}
	return size
}
