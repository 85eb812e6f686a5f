package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/frameworks/python"
)

// maxDepth is how deep values may nest: deeper than the JSON that backends see.
const maxDepth = 200

// Decode reads a map; trailing bytes are an error. Errors wrap [sessionstore.ErrRecord]. Time and
// memory are bounded by a small multiple of the size of data.
func Decode(data []byte) (*python.Dict, error) {
	r := reader{data: data}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*python.Dict)
	if !ok || r.pos != len(data) {
		return nil, errMessage
	}
	return d, nil
}

type reader struct {
	data []byte
	pos  int
}

// take reads n bytes. It fails before it allocates if they are not there.
func (r *reader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)-r.pos) {
		return nil, errTruncated
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

// number reads a big-endian number of width bytes.
func (r *reader) number(width int) (uint64, error) {
	b, err := r.take(uint64(width))
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, nil
}

// value reads the next value, which is depth levels below the top.
func (r *reader) value(depth int) (python.Value, error) {
	if depth > maxDepth {
		return nil, errMessage
	}
	head, err := r.take(1)
	if err != nil {
		return nil, err
	}
	c := head[0]
	switch {
	case c < fixMap:
		return python.Int(strconv.Itoa(int(c))), nil
	case c < fixArray:
		return r.dict(uint64(c-fixMap), depth)
	case c < fixStr:
		return r.list(uint64(c-fixArray), depth)
	case c < nothing:
		return r.str(uint64(c - fixStr))
	case c >= negative:
		return python.Int(strconv.Itoa(int(int8(c)))), nil
	case c >= float32_ && c <= int64_:
		return r.numeral(c)
	}
	switch c {
	case nothing:
		return python.None{}, nil
	case no, yes:
		return python.Bool(c == yes), nil
	case never:
		return nil, errMessage
	default:
		return r.sized(c, depth)
	}
}

func (r *reader) numeral(c byte) (python.Value, error) {
	switch c {
	case float32_:
		n, err := r.number(4)
		return python.Float32(math.Float32frombits(uint32(n))), err
	case float64_:
		n, err := r.number(8)
		return python.Float(math.Float64frombits(n)), err
	}
	if c <= uint64_ {
		n, err := r.number(1 << (c - uint8_))
		return python.Int(strconv.FormatUint(n, 10)), err
	}
	width := 1 << (c - int8_)
	n, err := r.number(width)
	unused := 64 - 8*width
	return python.Int(strconv.FormatInt(int64(n)<<unused>>unused, 10)), err
}

// sized reads a value with a length field.
func (r *reader) sized(c byte, depth int) (python.Value, error) {
	if c >= fixExt1 && c <= fixExt16 {
		return r.ext(1 << (c - fixExt1))
	}
	base, width := c, 0
	for _, b := range []byte{bin8, ext8, str8} { // lengths of 1, 2 and 4 bytes
		if c >= b && c < b+3 {
			base, width = b, 1<<(c-b)
		}
	}
	for _, b := range []byte{array16, map16} { // lengths of 2 and 4 bytes
		if c == b || c == b+1 {
			base, width = b, 2<<(c-b)
		}
	}
	n, err := r.number(width)
	if err != nil {
		return nil, err
	}
	switch base {
	case bin8:
		b, err := r.take(n)
		return python.Bytes(b), err
	case ext8:
		return r.ext(n)
	case str8:
		return r.str(n)
	case array16:
		return r.list(n, depth)
	default:
		return r.dict(n, depth)
	}
}

func (r *reader) str(n uint64) (python.Value, error) {
	b, err := r.take(n)
	if err == nil && !utf8.Valid(b) {
		err = errMessage
	}
	return python.Str(b), err
}

func (r *reader) ext(n uint64) (python.Value, error) {
	kind, err := r.take(1)
	if err != nil {
		return nil, err
	}
	b, err := r.take(n)
	return python.Ext{Type: int8(kind[0]), Data: string(b)}, err
}

func (r *reader) list(n uint64, depth int) (python.Value, error) {
	l := new(python.List)
	for ; n > 0; n-- {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, v)
	}
	return l, nil
}

func (r *reader) dict(n uint64, depth int) (python.Value, error) {
	d := new(python.Dict)
	for ; n > 0; n-- {
		key, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.Add(key, value)
	}
	return d, nil
}

// appendNumber appends n as a big-endian number of width bytes.
func appendNumber(out []byte, n uint64, width int) []byte {
	b := binary.BigEndian.AppendUint64(nil, n)
	return append(out, b[8-width:]...)
}
