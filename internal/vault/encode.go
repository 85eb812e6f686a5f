package vault

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrVault means that a stored vault cannot be read: it is damaged, or of a newer version.
var ErrVault = errors.New("the stored cookies cannot be read")

// version is the first byte of a stored vault. After it, for each cookie in the order of creation:
//
//	flags (bit 0 host only, bit 1 secure, bit 2 http only, bit 3-4 same site, bit 5 expires),
//	name, value, domain, path (each after its length, a uvarint),
//	uvarint expires (Unix milliseconds), if the flag says so
const version = 1

const (
	flagHostOnly = 1 << iota
	flagSecure
	flagHTTPOnly
	_
	_
	flagExpires

	sameSiteShift = 3
	flagSameSite  = 0b11 << sameSiteShift
	flagsKnown    = flagHostOnly | flagSecure | flagHTTPOnly | flagSameSite | flagExpires
)

// Encode returns the stored form of a vault, or nothing for an empty one. The same cookies always
// have the same stored form.
func (v Vault) Encode() []byte {
	if len(v.cookies) == 0 {
		return nil
	}
	b := make([]byte, 1, v.size())
	b[0] = version
	for i := range v.cookies {
		b = v.cookies[i].append(b)
	}
	return b
}

func (c *Cookie) flags() byte {
	flags := byte(c.SameSite) << sameSiteShift
	for _, f := range [...]struct {
		on   bool
		flag byte
	}{{c.HostOnly, flagHostOnly}, {c.Secure, flagSecure}, {c.HTTPOnly, flagHTTPOnly}, {!c.Expires.IsZero(), flagExpires}} {
		if f.on {
			flags |= f.flag
		}
	}
	return flags
}

func (c *Cookie) append(b []byte) []byte {
	b = append(b, c.flags())
	for _, s := range [...]string{c.Name, c.Value, c.Domain, c.Path} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	if !c.Expires.IsZero() {
		b = binary.AppendUvarint(b, uint64(c.Expires.UnixMilli()))
	}
	return b
}

// size is the length of the stored form.
func (v *Vault) size() int {
	size := 1
	for i := range v.cookies {
		c := &v.cookies[i]
		size++
		for _, s := range [...]string{c.Name, c.Value, c.Domain, c.Path} {
			size += uvarintLen(uint64(len(s))) + len(s)
		}
		if !c.Expires.IsZero() {
			size += uvarintLen(uint64(c.Expires.UnixMilli()))
		}
	}
	return size
}

func uvarintLen(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// Decode reads the result of [Vault.Encode]. Its error is [ErrVault].
func Decode(b []byte) (Vault, error) {
	if len(b) == 0 {
		return Vault{}, nil
	}
	if b[0] != version || len(b) == 1 || len(b) > MaxSize {
		return Vault{}, ErrVault
	}
	r := reader{rest: string(b[1:])}
	v := Vault{cookies: make([]Cookie, 0, 4)}
	for r.rest != "" {
		c := r.cookie()
		if r.failed || len(v.cookies) == MaxCookies || v.index(&c) >= 0 {
			return Vault{}, ErrVault
		}
		v.cookies = append(v.cookies, c)
	}
	return v, nil
}

// reader reads a stored vault.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) cookie() (c Cookie) {
	flags := r.rest[0]
	r.rest = r.rest[1:]
	c.HostOnly, c.Secure, c.HTTPOnly = flags&flagHostOnly != 0, flags&flagSecure != 0, flags&flagHTTPOnly != 0
	c.SameSite = SameSite(flags & flagSameSite >> sameSiteShift)
	for _, s := range [...]*string{&c.Name, &c.Value, &c.Domain, &c.Path} {
		*s = r.text()
	}
	if flags&flagExpires != 0 {
		ms := r.number()
		r.failed = r.failed || ms == 0 || ms > maxMillis
		c.Expires = time.UnixMilli(int64(ms & maxMillis))
	}
	r.failed = r.failed || flags&^flagsKnown != 0 || len(c.Name)+len(c.Value) > maxPair ||
		c.Name == "" && c.Value == "" || c.Domain == "" || c.Path == "" || c.Path[0] != '/'
	return c
}

// maxMillis keeps expiry times within the years that have four digits.
const maxMillis = 1<<47 - 1

func (r *reader) text() (s string) {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.failed = true
		return ""
	}
	s, r.rest = r.rest[:n], r.rest[n:]
	return s
}

// number accepts only the shortest form, so that a vault has one stored form.
func (r *reader) number() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64-1; i++ {
		c := r.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.failed = r.failed || c == 0 && i > 0
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.failed = true
	return 0
}
