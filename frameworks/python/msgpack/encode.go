package msgpack

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Encode writes a dict in the shortest form. An error wraps [sessionstore.ErrInvalid]: MessagePack
// cannot hold a value, such as an int of more than 64 bits.
func Encode(d *python.Dict) ([]byte, error) { return appendValue(nil, d) }

func appendValue(out []byte, v python.Value) ([]byte, error) {
	switch v := v.(type) {
	case python.None:
		return append(out, nothing), nil
	case python.Bool:
		if v {
			return append(out, yes), nil
		}
		return append(out, no), nil
	case python.Int:
		return appendInt(out, string(v))
	case python.Float:
		return appendNumber(append(out, float64_), math.Float64bits(float64(v)), 8), nil
	case python.Float32:
		return appendNumber(append(out, float32_), uint64(math.Float32bits(float32(v))), 4), nil
	case python.Str:
		if !utf8.ValidString(string(v)) {
			return nil, invalid("a string that is not UTF-8")
		}
		return append(appendHead(out, len(v), fixStr, 32, str8, 1), v...), nil
	case python.Bytes:
		return append(appendHead(out, len(v), 0, 0, bin8, 1), v...), nil
	case python.Ext:
		return appendExt(out, v), nil
	case *python.List:
		out = appendHead(out, len(v.Items), fixArray, 16, array16, 2)
		for _, item := range v.Items {
			var err error
			if out, err = appendValue(out, item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *python.Dict:
		return appendDict(out, v)
	default:
		return nil, invalid("a value of this type")
	}
}

func invalid(what string) error {
	return fmt.Errorf("%w: MessagePack cannot hold %s", sessionstore.ErrInvalid, what)
}

func appendDict(out []byte, d *python.Dict) ([]byte, error) {
	out = appendHead(out, len(d.Pairs), fixMap, 16, map16, 2)
	for _, p := range d.Pairs {
		for _, v := range []python.Value{p.Key, p.Value} {
			var err error
			if out, err = appendValue(out, v); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// appendHead appends the head of a value of length n: a single byte if n is below limit, else base
// and a length of width bytes. The heads with two and four times as many bytes follow base.
func appendHead(out []byte, n int, fixed byte, limit int, base byte, width int) []byte {
	if n < limit {
		return append(out, fixed|byte(n))
	}
	for n >= 1<<(8*width) && width < 4 {
		base, width = base+1, width*2
	}
	return appendNumber(append(out, base), uint64(n), width)
}

func appendExt(out []byte, e python.Ext) []byte {
	switch n := len(e.Data); n {
	case 1, 2, 4, 8, 16:
		out = append(out, fixExt1)
		for ; n > 1; n /= 2 {
			out[len(out)-1]++
		}
	default:
		out = appendHead(out, n, 0, 0, ext8, 1)
	}
	return append(append(out, byte(e.Type)), e.Data...)
}

func appendInt(out []byte, digits string) ([]byte, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		u, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return nil, invalid("an int of more than 64 bits")
		}
		return appendNumber(append(out, uint64_), u, 8), nil
	}
	switch {
	case n >= -32 && n < fixMap:
		return append(out, byte(n)), nil
	case n >= 0:
		c, width := byte(uint8_), 1
		for ; width < 8 && n >= 1<<(8*width); width *= 2 {
			c++
		}
		return appendNumber(append(out, c), uint64(n), width), nil
	default:
		c, width := byte(int8_), 1
		for ; width < 8 && n < -1<<(8*width-1); width *= 2 {
			c++
		}
		return appendNumber(append(out, c), uint64(n), width), nil
	}
}
