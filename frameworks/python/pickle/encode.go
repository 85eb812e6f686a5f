package pickle

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Encode writes a dict as a pickle of this protocol, 0 to 5. A pointer that occurs several times
// becomes one object in Python. An error wraps [sessionstore.ErrInvalid]: a pickle of this protocol
// cannot hold a value.
func Encode(d *python.Dict, protocol int) ([]byte, error) {
	w := writer{protocol: protocol, uses: make(map[python.Value]int), memo: make(map[python.Value]int), open: make(map[python.Value]bool)}
	w.count(d)
	if protocol >= 2 {
		w.out = append(w.out, opProto, byte(protocol))
	}
	if err := w.value(d); err != nil {
		return nil, err
	}
	return append(w.out, opStop), nil
}

type writer struct {
	out      []byte
	protocol int

	// uses counts how often an object occurs in the tree; memo is its index in the pickle's memo.
	uses, memo map[python.Value]int

	// open are the objects that are partly written: nothing can refer to them yet.
	open map[python.Value]bool

	depth int
}

// maxDepth is how deep values may nest, far deeper than the JSON that backends see.
const maxDepth = 1000

// count fills uses.
func (w *writer) count(v python.Value) {
	var inside [][]python.Value
	switch v := v.(type) {
	case *python.List:
		inside = append(inside, v.Items)
	case *python.Tuple:
		inside = append(inside, v.Items)
	case *python.Set:
		inside = append(inside, v.Items)
	case *python.Dict:
		if w.uses[v]++; w.uses[v] > 1 {
			return
		}
		for _, p := range v.Pairs {
			w.count(p.Key)
			w.count(p.Value)
		}
		return
	case *python.Object:
		inside = append(inside, []python.Value{v.Args, v.Kwargs})
		for _, step := range v.Then {
			inside = append(inside, step.Values)
		}
	default:
		return
	}
	if w.uses[v]++; w.uses[v] > 1 {
		return
	}
	for _, values := range inside {
		for _, item := range values {
			w.count(item)
		}
	}
}

// value writes v, or a reference if it was written before.
func (w *writer) value(v python.Value) error {
	if w.depth++; w.depth > maxDepth {
		return errCycle
	}
	defer func() { w.depth-- }()
	switch v.(type) {
	case *python.List, *python.Tuple, *python.Set, *python.Dict, *python.Object:
		if at, found := w.memo[v]; found {
			w.get(at)
			return nil
		}
		if w.open[v] {
			return errCycle
		}
	}
	switch v := v.(type) {
	case *python.List:
		return w.list(v)
	case *python.Tuple:
		return w.tuple(v)
	case *python.Set:
		return w.set(v)
	case *python.Dict:
		return w.dict(v)
	case *python.Object:
		return w.object(v)
	case python.Global:
		w.global(v)
		return nil
	default:
		return w.scalar(v)
	}
}

// remember stores the object on top of the stack in the memo, if something refers to it later.
func (w *writer) remember(v python.Value) {
	delete(w.open, v)
	if w.uses[v] < 2 {
		return
	}
	at := len(w.memo)
	w.memo[v] = at
	switch {
	case w.protocol == 0:
		w.line(opPut, strconv.Itoa(at))
	case at < 256:
		w.out = append(w.out, opBinPut, byte(at))
	default:
		w.out = binary.LittleEndian.AppendUint32(append(w.out, opLongBinPut), uint32(at))
	}
}

func (w *writer) get(at int) {
	switch {
	case w.protocol == 0:
		w.line(opGet, strconv.Itoa(at))
	case at < 256:
		w.out = append(w.out, opBinGet, byte(at))
	default:
		w.out = binary.LittleEndian.AppendUint32(append(w.out, opLongBinGet), uint32(at))
	}
}

func (w *writer) line(op byte, text string) {
	w.out = append(append(append(w.out, op), text...), '\n')
}

func (w *writer) scalar(v python.Value) error {
	switch v := v.(type) {
	case python.None:
		w.out = append(w.out, opNone)
	case python.Bool:
		w.bool(bool(v))
	case python.Int:
		return w.int(string(v))
	case python.Float:
		w.float(float64(v))
	case python.Float32:
		w.float(float64(v))
	case python.Str:
		w.str(string(v))
	case python.OldStr:
		w.oldStr(string(v))
	case python.Bytes:
		return w.bytes(string(v))
	case python.ByteArray:
		return w.byteArray(string(v))
	default:
		return sessionstore.ErrInvalid
	}
	return nil
}

func (w *writer) bool(b bool) {
	switch {
	case w.protocol >= 2 && b:
		w.out = append(w.out, opNewTrue)
	case w.protocol >= 2:
		w.out = append(w.out, opNewFalse)
	case b:
		w.line(opInt, "01")
	default:
		w.line(opInt, "00")
	}
}

func (w *writer) int(digits string) error {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return w.long(digits)
	}
	switch {
	case w.protocol == 0:
		w.line(opInt, digits)
	case 0 <= n && n < 1<<8:
		w.out = append(w.out, opBinInt1, byte(n))
	case 0 <= n && n < 1<<16:
		w.out = binary.LittleEndian.AppendUint16(append(w.out, opBinInt2), uint16(n))
	default:
		w.out = binary.LittleEndian.AppendUint32(append(w.out, opBinInt), uint32(n))
	}
	return nil
}

func (w *writer) long(digits string) error {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || len(digits) > maxDigits {
		return sessionstore.ErrInvalid
	}
	if w.protocol < 2 {
		w.line(opLong, n.String()+"L")
		return nil
	}
	size := n.BitLen()/8 + 1 // room for the sign
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	b := n.FillBytes(make([]byte, size))
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	if size < 256 {
		w.out = append(w.out, opLong1, byte(size))
	} else {
		w.out = binary.LittleEndian.AppendUint32(append(w.out, opLong4), uint32(size))
	}
	w.out = append(w.out, b...)
	return nil
}

func (w *writer) float(f float64) {
	if w.protocol == 0 {
		w.line(opFloat, strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	w.out = binary.BigEndian.AppendUint64(append(w.out, opBinFloat), math.Float64bits(f))
}

// counted writes an opcode, a length and the text. short is the opcode for up to 255 bytes, or 0.
func (w *writer) counted(short, long byte, text string) {
	if short != 0 && len(text) < 256 {
		w.out = append(w.out, short, byte(len(text)))
	} else {
		w.out = binary.LittleEndian.AppendUint32(append(w.out, long), uint32(len(text)))
	}
	w.out = append(w.out, text...)
}

func (w *writer) str(s string) {
	switch {
	case w.protocol == 0:
		w.line(opUnicode, writeRawUnicode(s))
	case w.protocol < 4:
		w.counted(0, opBinUnicode, s)
	default:
		w.counted(opShortBinUnicode, opBinUnicode, s)
	}
}

func (w *writer) oldStr(s string) {
	if w.protocol == 0 {
		w.line(opString, quote(s))
		return
	}
	w.counted(opShortBinString, opBinString, s)
}

func (w *writer) bytes(b string) error {
	if w.protocol >= 3 {
		w.counted(opShortBinBytes, opBinBytes, b)
		return nil
	}
	return w.object(python.OldBytes(b))
}

func (w *writer) byteArray(b string) error {
	if w.protocol < 5 {
		return w.object(&python.Object{Class: python.Global{Module: w.builtins(), Name: "bytearray"}, Args: &python.Tuple{Items: []python.Value{python.Bytes(b)}}})
	}
	w.out = binary.LittleEndian.AppendUint64(append(w.out, opByteArray8), uint64(len(b)))
	w.out = append(w.out, b...)
	return nil
}

// builtins is the module of Python's built-ins. Protocols that Python 2 can read use its former
// name.
func (w *writer) builtins() string {
	if w.protocol < 3 {
		return "__builtin__"
	}
	return "builtins"
}
