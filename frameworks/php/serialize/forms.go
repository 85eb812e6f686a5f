package serialize

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Form is how PHP encodes a session: its session.serialize_handler.
type Form string

const (
	// PHP is "php": each member's name, a bar, and its value.
	PHP Form = "php"
	// Binary is "php_binary": a byte with the length of the member's name, the name, and its value.
	Binary Form = "php_binary"
	// Serialize is "php_serialize": the whole session as one array.
	Serialize Form = "php_serialize"
)

// Forms are all forms.
var Forms = []Form{PHP, Binary, Serialize}

// maxName is the length of the longest name of a member in the form Binary, in bytes.
const maxName = 127

// Decode reads a session. Its errors wrap [sessionstore.ErrRecord].
func (f Form) Decode(record string) (*Array, error) {
	d := &decoder{in: record}
	root := &Value{kind: array}
	var err error
	switch {
	case record == "":
	case f == Serialize:
		if root, err = d.value(0); err == nil && (root.kind != array || d.at != len(record)) {
			err = d.wrong()
		}
	default:
		err = f.decodeMembers(d, root)
	}
	if err != nil {
		if other := looksLike(f, record); other != "" {
			err = fmt.Errorf("%w; it looks like one of %s", err, other)
		}
		return nil, err
	}
	return &Array{root: root, was: root, unknown: d.unknown}, nil
}

func (f Form) decodeMembers(d *decoder, root *Value) error {
	places := make(map[string]int)
	for d.at < len(d.in) {
		var name string
		var ok bool
		if f == PHP {
			name, ok = d.until('|')
		} else if n := int(d.in[d.at]); n <= maxName && n < len(d.in)-d.at {
			name, ok = d.in[d.at+1:d.at+1+n], true
			d.at += 1 + n
		}
		if !ok {
			return d.wrong()
		}
		value, err := d.value(1)
		if err != nil {
			return err
		}
		root.put(places, key{raw: quoted(name), str: name}, value)
	}
	return nil
}

// looksLike names the encoding that a record seems to be in, for an error. It is empty if that
// cannot be told.
func looksLike(f Form, record string) string {
	switch {
	case strings.HasPrefix(record, "\x00\x00\x00\x01"), strings.HasPrefix(record, "\x00\x00\x00\x02"):
		return "igbinary, " + notShared
	case record[0]&0xf0 == 0x80, record[0] == 0xde:
		return "msgpack, " + notShared
	}
	for _, other := range Forms {
		if other == f {
			continue
		}
		d := &decoder{in: record}
		if other == Serialize {
			if v, err := d.value(0); err == nil && v.kind == array && d.at == len(record) {
				return string(other) + ": set serializer to PHP's session.serialize_handler"
			}
		} else if other.decodeMembers(d, new(Value)) == nil {
			return string(other) + ": set serializer to PHP's session.serialize_handler"
		}
	}
	return ""
}

const notShared = "which is not supported: set session.serialize_handler = php_serialize, in PHP and here"

// encoder writes values as PHP's serialize() does.
type encoder struct {
	out []byte
	max int

	// count is how many values were written, references aside, and numbers are those of the values
	// that others may refer to.
	count   int
	numbers map[*Value]int

	// opaque is the count before the first object that encodes itself, or 0. PHP counts what is in
	// it too, so that later numbers are unknown.
	opaque int

	err error
}

// Encode writes a session of at most max bytes. It returns [sessionstore.ErrInvalid] if the form
// cannot hold it, and [sessionstore.ErrTooLarge].
func (f Form) Encode(a *Array, max int) ([]byte, error) {
	if a.unknown {
		return nil, fmt.Errorf("%w: the session has an object of a class that is Serializable, and references: only PHP can change it", sessionstore.ErrInvalid)
	}
	e := &encoder{max: max, numbers: make(map[*Value]int)}
	if f == Serialize {
		e.count = 1
		e.numbers[a.was] = 1
		e.add("a:" + strconv.Itoa(len(a.items())) + ":{")
	}
	for _, it := range a.items() {
		if err := f.fits(it.key.str); err != nil {
			return nil, err
		}
		switch f {
		case PHP:
			e.add(it.key.str + "|")
		case Binary:
			e.add(string(rune(len(it.key.str))) + it.key.str)
		default:
			e.add(it.key.raw)
		}
		e.value(it.value)
	}
	if f == Serialize {
		e.add("}")
	}
	return e.out, e.err
}

// fits returns an error if PHP would lose a member of this name.
func (f Form) fits(name string) error {
	switch {
	case f == Serialize:
		return nil
	case f == PHP && strings.Contains(name, "|"):
		return fmt.Errorf("%w: with the serializer php, the name of a member at the top cannot contain |", sessionstore.ErrInvalid)
	case f == Binary && len(name) > maxName:
		return fmt.Errorf("%w: with the serializer php_binary, the name of a member at the top has at most %d bytes", sessionstore.ErrInvalid, maxName)
	case isIntegerKey(name):
		return fmt.Errorf("%w: with the serializer %s, the name of a member at the top cannot be a number", sessionstore.ErrInvalid, f)
	default:
		return nil
	}
}

func (e *encoder) add(s string) {
	if len(e.out)+len(s) > e.max && e.err == nil {
		e.err = fmt.Errorf("%w: the record would be larger than %d bytes", sessionstore.ErrTooLarge, e.max)
	}
	if e.err == nil {
		e.out = append(e.out, s...)
	}
}

// value writes a value, or a reference to where it is already.
func (e *encoder) value(v *Value) {
	if e.err != nil {
		return
	}
	tied := v.kind == reference || v.tied
	if v.target != nil {
		v = v.target
	}
	if n := e.numbers[v]; n > 0 {
		if e.opaque > 0 && n > e.opaque {
			e.err = fmt.Errorf("%w: a reference to a value after an object of a class that is Serializable cannot be written", sessionstore.ErrInvalid)
			return
		}
		if v.isObject() && !tied {
			e.count++
			e.add("r:" + strconv.Itoa(n) + ";")
		} else {
			e.add("R:" + strconv.Itoa(n) + ";")
		}
		return
	}
	e.count++
	if v.isObject() || v.tied {
		e.numbers[v] = e.count
	}
	if v.kind == custom && e.opaque == 0 {
		e.opaque = e.count
	}
	if v.kind != array && v.kind != object {
		e.add(v.raw)
		return
	}
	head := "a:"
	if v.kind == object {
		head = "O:" + strconv.Itoa(len(v.str)) + `:"` + v.str + `":`
	}
	e.add(head + strconv.Itoa(len(v.items)) + ":{")
	for _, it := range v.items {
		e.add(it.key.raw)
		e.value(it.value)
	}
	e.add("}")
}
