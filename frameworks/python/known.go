package python

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// bytesOf returns the content of a bytes object. Pickles of protocol 2 or less make it from a
// string.
func bytesOf(v Value) (string, bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), true
	case OldStr:
		return string(v), true
	case *Object:
		if v.Class == (Global{"__builtin__", "bytes"}) && v.args(0) != nil && v.Then == nil {
			return "", true
		}
		args := v.args(2)
		if v.Class != (Global{"_codecs", "encode"}) || args == nil || v.Then != nil || args[1] != Str("latin1") {
			return "", false
		}
		text, ok := args[0].(Str)
		if !ok {
			return "", false
		}
		var b []byte
		for _, r := range string(text) {
			if r > 0xff {
				return "", false
			}
			b = append(b, byte(r))
		}
		return string(b), true
	default:
		return "", false
	}
}

// args returns the arguments if there are exactly n, else nil.
func (o *Object) args(n int) []Value {
	t, ok := o.Args.(*Tuple)
	if !ok || len(t.Items) != n {
		return nil
	}
	return t.Items[:n:n]
}

// rebuilt returns the class and the state of an object that copyreg's _reconstructor makes.
func (o *Object) rebuilt() (class Global, state Value, ok bool) {
	if o.Class.Name != "_reconstructor" {
		return o.Class, nil, false
	}
	args := o.args(3)
	if args == nil {
		return Global{}, nil, false
	}
	class, ok = args[0].(Global)
	return class, args[2], ok
}

var (
	markupClass   = Global{"markupsafe", "Markup"}
	uuidClass     = Global{"uuid", "UUID"}
	datetimeClass = Global{"datetime", "datetime"}
)

// markup returns the text of a markupsafe.Markup.
func (o *Object) markup() (string, bool) {
	for _, step := range o.Then {
		if step.Do != Build || len(step.Values) != 1 || !isEmpty(step.Values[0]) {
			return "", false
		}
	}
	var text Value
	if class, state, ok := o.rebuilt(); ok && class == markupClass {
		text = state
	} else if args := o.args(1); o.Class == markupClass && args != nil {
		text = args[0]
	}
	s, ok := text.(Str)
	return string(s), ok
}

func isEmpty(v Value) bool {
	d, ok := v.(*Dict)
	return ok && len(d.Pairs) == 0
}

// NewMarkup returns a markupsafe.Markup with this text.
func NewMarkup(text string) Value {
	return &Object{How: NewObj, Class: markupClass, Args: &Tuple{[]Value{Str(text)}}}
}

// uuid returns the 32 hex digits of a uuid.UUID.
func (o *Object) uuid() (string, bool) {
	class, _, ok := o.rebuilt()
	if !ok {
		class = o.Class
	}
	if class != uuidClass || len(o.Then) != 1 || o.Then[0].Do != Build {
		return "", false
	}
	state, ok := o.Then[0].Values[0].(*Dict)
	if !ok || len(state.Pairs) != 1 {
		return "", false
	}
	number, _ := state.Get("int")
	digits, ok := number.(Int)
	if !ok {
		return "", false
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return "", false
	}
	return fmt.Sprintf("%032x", n), true
}

// NewUUID returns a uuid.UUID with these 32 hex digits. ok is false if they are not 32 hex digits.
func NewUUID(digits string) (Value, bool) {
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || len(digits) != 32 || n.Sign() < 0 {
		return nil, false
	}
	state := new(Dict)
	state.Add(Str("int"), Int(n.String()))
	return &Object{How: NewObj, Class: uuidClass, Args: new(Tuple), Then: []Step{{Build, []Value{state}}}}, true
}

// NewUUIDText is like [NewUUID] for serializations without UUIDs: it returns the UUID's text.
func NewUUIDText(digits string) (Value, bool) {
	if _, ok := NewUUID(digits); !ok {
		return nil, false
	}
	d := strings.ToLower(digits)
	return Str(d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:]), true
}

// datetime returns the time of a datetime.datetime in whole seconds. Without a time zone it is
// taken as UTC, as Flask does.
func (o *Object) datetime() (t time.Time, ok bool) {
	if o.Class != datetimeClass || o.Then != nil {
		return t, false
	}
	args, zone := o.args(1), time.UTC
	if args == nil {
		if args = o.args(2); args == nil {
			return t, false
		}
		offset, ok := offsetOf(args[1])
		if !ok {
			return t, false
		}
		zone = time.FixedZone("", int(offset/time.Second))
	}
	b, ok := bytesOf(args[0])
	if !ok || len(b) != 10 {
		return t, false
	}
	year, month, day := int(binary.BigEndian.Uint16([]byte(b))), time.Month(b[2]&0x7f), int(b[3])
	t = time.Date(year, month, day, int(b[4]), int(b[5]), int(b[6]), 0, zone).UTC()
	return t, year >= 1 && year <= 9999 && t.Year() >= 1 && t.Year() <= 9999
}

// offsetOf returns the offset of a datetime.timezone.
func offsetOf(v Value) (time.Duration, bool) {
	zone, ok := v.(*Object)
	if !ok || zone.Class != (Global{"datetime", "timezone"}) {
		return 0, false
	}
	args := zone.args(1)
	if args == nil {
		args = zone.args(2)
	}
	if args == nil {
		return 0, false
	}
	delta, ok := args[0].(*Object)
	if !ok || delta.Class != (Global{"datetime", "timedelta"}) {
		return 0, false
	}
	parts := delta.args(3)
	if parts == nil {
		return 0, false
	}
	var n [3]int64
	for i, part := range parts {
		digits, ok := part.(Int)
		if _, err := fmt.Sscan(string(digits), &n[i]); !ok || err != nil || n[i] < -86400 || n[i] > 86400*10 {
			return 0, false
		}
	}
	return time.Duration(n[0]*86400+n[1]) * time.Second, true
}

// NewDatetime returns a datetime.datetime in UTC, in whole seconds.
func NewDatetime(t time.Time) Value {
	t = t.UTC()
	b := binary.BigEndian.AppendUint16(nil, uint16(t.Year()))
	b = append(b, byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0, 0, 0)
	zero := &Object{Class: Global{"datetime", "timedelta"}, Args: &Tuple{[]Value{Int("0"), Int("0"), Int("0")}}}
	utc := &Object{Class: Global{"datetime", "timezone"}, Args: &Tuple{[]Value{zero}}}
	return &Object{Class: datetimeClass, Args: &Tuple{[]Value{Bytes(b), utc}}}
}

// timestamp returns the time of MessagePack's extension type -1.
func (e Ext) timestamp() (time.Time, bool) {
	b := []byte(e.Data)
	var t time.Time
	switch {
	case e.Type != -1:
		return t, false
	case len(b) == 4:
		t = time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
	case len(b) == 8:
		n := binary.BigEndian.Uint64(b)
		t = time.Unix(int64(n&(1<<34-1)), int64(n>>34))
	case len(b) == 12:
		t = time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b)))
	default:
		return t, false
	}
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// NewTimestamp returns MessagePack's extension type -1 with a time in whole seconds.
func NewTimestamp(t time.Time) Value {
	if s := t.Unix(); s >= 0 && s < 1<<32 {
		return Ext{-1, string(binary.BigEndian.AppendUint32(nil, uint32(s)))}
	}
	b := make([]byte, 4, 12)
	return Ext{-1, string(binary.BigEndian.AppendUint64(b, uint64(t.Unix())))}
}

// OldBytes returns the object that stands for bytes in pickles of protocols 0 to 2.
func OldBytes(b string) *Object {
	if b == "" {
		return &Object{Class: Global{"__builtin__", "bytes"}, Args: new(Tuple)}
	}
	var text []rune
	for i := range len(b) {
		text = append(text, rune(b[i]))
	}
	return &Object{Class: Global{"_codecs", "encode"}, Args: &Tuple{[]Value{Str(string(text)), Str("latin1")}}}
}
