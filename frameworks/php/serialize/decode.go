package serialize

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth is how deep values may nest, as PHP's unserialize_max_depth.
const maxDepth = 4096

// decoder reads values as PHP's unserialize() does.
type decoder struct {
	in string
	at int

	// values are the values so far, by the numbers that PHP gives them, from 1: all but references.
	values []*Value

	// opaque says that there was an object that encodes itself, so that later numbers are unknown.
	// unknown says that this matters.
	opaque, unknown bool
}

// inner finds what may be a reference within an object that encodes itself.
var inner = regexp.MustCompile(`[rR]:[0-9]+;`)

// add gives the next number to a value.
func (d *decoder) add(v *Value) {
	d.values = append(d.values, v)
	v.number = len(d.values)
}

// take skips a text, which must be next.
func (d *decoder) take(s string) bool {
	if !strings.HasPrefix(d.in[d.at:], s) {
		return false
	}
	d.at += len(s)
	return true
}

// until returns what stands before the next c, and skips both.
func (d *decoder) until(c byte) (string, bool) {
	n := strings.IndexByte(d.in[d.at:], c)
	if n < 0 {
		return "", false
	}
	s := d.in[d.at : d.at+n]
	d.at += n + 1
	return s, true
}

// size reads a number before c that cannot exceed what is left.
func (d *decoder) size(c byte) (int, bool) {
	s, ok := d.until(c)
	if !ok || s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= len(d.in)-d.at
}

// str reads the rest of a string, from its length on.
func (d *decoder) str() (string, bool) {
	n, ok := d.size(':')
	if !ok || !d.take(`"`) || n > len(d.in)-d.at {
		return "", false
	}
	s := d.in[d.at : d.at+n]
	d.at += n
	return s, d.take(`"`)
}

// escaped reads the rest of a string with bytes such as \41.
func (d *decoder) escaped() (string, bool) {
	n, ok := d.size(':')
	if !ok || !d.take(`"`) {
		return "", false
	}
	s := make([]byte, 0, n)
	for range n {
		if d.at >= len(d.in) {
			return "", false
		}
		c := d.in[d.at]
		d.at++
		if c == '\\' {
			if len(d.in)-d.at < 2 {
				return "", false
			}
			b, err := strconv.ParseUint(d.in[d.at:d.at+2], 16, 8)
			if err != nil {
				return "", false
			}
			c = byte(b)
			d.at += 2
		}
		s = append(s, c)
	}
	return string(s), d.take(`"`)
}

// value reads one value.
func (d *decoder) value(depth int) (*Value, error) {
	begin := d.at
	if len(d.in)-d.at < 2 || depth > maxDepth {
		return nil, d.wrong()
	}
	tag := d.in[d.at : d.at+2]
	d.at += 2
	v := new(Value)
	if tag != "R:" {
		d.add(v)
	}
	ok := false
	switch tag {
	case "N;":
		ok = true
	case "b:":
		v.kind, ok = boolean, d.take("0;") || d.take("1;")
	case "i:":
		v.kind = integer
		v.str, ok = d.until(';')
		ok = ok && isInteger(v.str)
	case "d:":
		v.kind = float
		v.str, ok = d.until(';')
		ok = ok && isFloat(v.str)
	case "s:":
		v.kind = text
		v.str, ok = d.str()
		ok = ok && d.take(";")
	case "S:":
		v.kind = text
		v.str, ok = d.escaped()
		ok = ok && d.take(";")
	case "E:":
		v.kind = enum
		v.str, ok = d.str()
		ok = ok && d.take(";")
	case "C:":
		ok = d.custom(v)
	case "r:", "R:":
		ok = d.refer(v, tag)
	case "a:":
		v.kind = array
		return d.members(v, depth)
	case "O:":
		v.kind = object
		if v.str, ok = d.str(); ok && d.take(":") {
			return d.members(v, depth)
		}
		ok = false
	}
	if !ok {
		return nil, d.wrong()
	}
	v.raw, v.last = d.in[begin:d.at], len(d.values)
	return v, nil
}

func (d *decoder) wrong() error {
	return damaged("PHP's encoding is damaged at byte %d", d.at)
}

// custom reads the rest of an object that encodes itself.
func (d *decoder) custom(v *Value) (ok bool) {
	v.kind = custom
	if v.str, ok = d.str(); !ok || !d.take(":") {
		return false
	}
	n, ok := d.size(':')
	if !ok || !d.take("{") || n > len(d.in)-d.at {
		return false
	}
	d.opaque = true
	d.unknown = d.unknown || inner.MatchString(d.in[d.at:d.at+n])
	d.at += n
	return d.take("}")
}

// refer reads the rest of what stands for another value.
func (d *decoder) refer(v *Value, tag string) bool {
	v.kind = reference
	if tag == "r:" {
		v.kind = same
	}
	s, ok := d.until(';')
	n, err := strconv.Atoi(s)
	if !ok || err != nil || n < 1 || s[0] < '0' || s[0] > '9' {
		return false
	}
	if d.opaque {
		d.unknown = true
		return true
	}
	if n > len(d.values) || d.values[n-1] == v {
		return false
	}
	v.target = d.values[n-1]
	if v.target.target != nil {
		v.target = v.target.target
	}
	if v.kind == same {
		return v.target.isObject()
	}
	v.target.tied = true
	return true
}

// members reads the rest of an array or an object, from the number of items on.
func (d *decoder) members(v *Value, depth int) (*Value, error) {
	n, ok := d.size(':')
	if !ok || !d.take("{") {
		return nil, d.wrong()
	}
	places := make(map[string]int)
	for range n {
		k, ok := d.key()
		if !ok {
			return nil, d.wrong()
		}
		value, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.put(places, k, value)
	}
	if !d.take("}") {
		return nil, d.wrong()
	}
	v.last = len(d.values)
	return v, nil
}

// put adds an item. One with the same key is replaced, as in PHP.
func (v *Value) put(places map[string]int, k key, value *Value) {
	if at, found := places[k.str]; found {
		v.items[at].value = value
		return
	}
	places[k.str] = len(v.items)
	v.items = append(v.items, item{k, value})
}

// key reads the key of an item.
func (d *decoder) key() (k key, ok bool) {
	begin := d.at
	switch {
	case d.take("i:"):
		k.str, ok = d.until(';')
		n, err := strconv.ParseInt(k.str, 10, 64)
		k.str, ok = strconv.FormatInt(n, 10), ok && err == nil
	case d.take("s:"):
		k.str, ok = d.str()
		ok = ok && d.take(";")
	case d.take("S:"):
		k.str, ok = d.escaped()
		ok = ok && d.take(";")
	}
	k.raw = d.in[begin:d.at]
	return k, ok
}

// isInteger reports whether s is an integer as PHP reads it.
func isInteger(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// special are the floats that are no numbers.
var special = map[string]float64{"INF": math.Inf(1), "-INF": math.Inf(-1), "NAN": math.NaN()}

var number = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// isFloat reports whether s is a float as PHP reads it.
func isFloat(s string) bool {
	_, known := special[s]
	return known || number.MatchString(s)
}
