package pickle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/caddy-session/caddy-session/frameworks/python"
)

// Decode reads a pickled dict and returns it and the protocol of the pickle; trailing bytes are an
// error. Errors wrap [sessionstore.ErrRecord]. Time and memory are bounded by a small multiple of
// the size of data.
func Decode(data []byte) (d *python.Dict, protocol int, err error) {
	m := machine{data: data, memo: make(map[uint64]python.Value)}
	if err := m.run(); err != nil {
		return nil, 0, asRecord(err)
	}
	d, ok := m.stack[0].(*python.Dict)
	if !ok || m.pos != len(data) {
		return nil, 0, errPickle
	}
	if err := m.finish(); err != nil {
		return nil, 0, err
	}
	return d, max(m.protocol, m.least), nil
}

// machine runs the opcodes. A value may change until the end: an object gets its items after other
// objects refer to it.
type machine struct {
	data []byte
	pos  int

	stack []python.Value
	marks []int
	memo  map[uint64]python.Value

	// protocol is the one in the pickle's header; least is the lowest that has all opcodes in the
	// pickle.
	protocol, least int

	// calls are the classes and functions that Python would call.
	calls []python.Global

	// getattrs counts how often the pickle names getattr; attributes counts how often it calls it
	// for an attribute of a class.
	getattrs, attributes int
}

// finish makes the checks that need the whole pickle.
func (m *machine) finish() error {
	for _, g := range m.calls {
		if !g.Allowed() {
			return errForbidden
		}
	}
	if m.getattrs > m.attributes {
		return errForbidden
	}
	return nil
}

func (m *machine) run() error {
	for {
		op, err := m.byte()
		if err != nil {
			return err
		}
		if op == opStop {
			if len(m.stack) != 1 || len(m.marks) > 0 {
				return errPickle
			}
			return nil
		}
		if err := m.step(op); err != nil {
			return err
		}
	}
}

// step runs one opcode.
func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		p, err := m.byte()
		if err != nil || p > maxProtocol {
			return errPickle
		}
		m.protocol = int(p)
		return nil
	case opFrame:
		_, err := m.take(8) // frames are only for buffering
		return err
	case opMark:
		m.marks = append(m.marks, len(m.stack))
		return nil
	case opPop:
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.push(v)
		return nil
	}
	for _, group := range []func(byte) (bool, error){m.scalar, m.container, m.object, m.memory} {
		if known, err := group(op); known || err != nil {
			return err
		}
	}
	return errPickle
}

// scalar runs the opcodes that push a simple value.
func (m *machine) scalar(op byte) (bool, error) {
	switch op {
	case opNone:
		m.push(python.None{})
	case opNewTrue, opNewFalse:
		m.push(python.Bool(op == opNewTrue))
	case opInt, opLong, opFloat, opString, opUnicode:
		line, err := m.line()
		if err != nil {
			return true, err
		}
		return true, m.textual(op, line)
	case opBinInt, opBinInt1, opBinInt2:
		b, err := m.take(widths[op])
		if err != nil {
			return true, err
		}
		n := int64(0)
		for _, v := range slices.Backward(b) {
			n = n<<8 | int64(v)
		}
		if op == opBinInt {
			n = int64(int32(n))
		}
		m.push(python.Int(strconv.FormatInt(n, 10)))
	case opLong1, opLong4:
		b, err := m.sized(widths[op])
		if err != nil {
			return true, err
		}
		return true, m.pushLong(b)
	case opBinFloat:
		b, err := m.take(8)
		if err != nil {
			return true, err
		}
		m.push(python.Float(math.Float64frombits(binary.BigEndian.Uint64(b))))
	default:
		return m.bytesAndText(op)
	}
	return true, nil
}

// texts are the opcodes that are followed by a length, of this many bytes, and a text.
var texts = map[byte]struct {
	length, protocol int
	make             func(string) python.Value
}{
	opShortBinString:  {1, 1, func(s string) python.Value { return python.OldStr(s) }},
	opBinString:       {4, 1, func(s string) python.Value { return python.OldStr(s) }},
	opBinUnicode:      {4, 1, func(s string) python.Value { return python.Str(s) }},
	opShortBinUnicode: {1, 4, func(s string) python.Value { return python.Str(s) }},
	opBinUnicode8:     {8, 4, func(s string) python.Value { return python.Str(s) }},
	opShortBinBytes:   {1, 3, func(s string) python.Value { return python.Bytes(s) }},
	opBinBytes:        {4, 3, func(s string) python.Value { return python.Bytes(s) }},
	opBinBytes8:       {8, 4, func(s string) python.Value { return python.Bytes(s) }},
	opByteArray8:      {8, 5, func(s string) python.Value { return python.ByteArray(s) }},
}

// widths is how many bytes of a number follow an opcode.
var widths = map[byte]int{
	opBinInt: 4, opBinInt1: 1, opBinInt2: 2, opLong1: 1, opLong4: 4,
	opBinPut: 1, opBinGet: 1, opLongBinPut: 4, opLongBinGet: 4,
}

func (m *machine) bytesAndText(op byte) (bool, error) {
	kind, known := texts[op]
	if !known {
		return false, nil
	}
	b, err := m.sized(kind.length)
	if err != nil {
		return true, err
	}
	m.least = max(m.least, kind.protocol)
	m.push(kind.make(string(b)))
	return true, nil
}

// maxDigits is the longest int that Python converts from text by default.
const maxDigits = 4300

func (m *machine) pushLong(b []byte) error {
	if len(b) > maxDigits/2 {
		return errPickle
	}
	n := new(big.Int)
	reversed := make([]byte, len(b))
	for i, c := range b {
		reversed[len(b)-1-i] = c
	}
	n.SetBytes(reversed)
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 { // two's complement
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	m.push(python.Int(n.String()))
	return nil
}

// textual reads a value of protocol 0 from a line of text.
func (m *machine) textual(op byte, line []byte) error {
	switch op {
	case opInt:
		if string(line) == "01" || string(line) == "00" {
			m.push(python.Bool(line[1] == '1'))
			return nil
		}
		fallthrough
	case opLong:
		line = bytes.TrimSuffix(line, []byte("L"))
		n, ok := new(big.Int).SetString(string(line), 10)
		if !ok || len(line) > maxDigits || bytes.HasPrefix(line, []byte("+")) {
			return errPickle
		}
		m.push(python.Int(n.String()))
	case opFloat:
		f, err := strconv.ParseFloat(string(line), 64)
		if err != nil {
			return errPickle
		}
		m.push(python.Float(f))
	case opString:
		s, ok := unquote(line)
		if !ok {
			return errPickle
		}
		m.push(python.OldStr(s))
	case opUnicode:
		s, ok := rawUnicode(line)
		if !ok {
			return errPickle
		}
		m.push(python.Str(s))
	}
	return nil
}

func (m *machine) push(v python.Value) { m.stack = append(m.stack, v) }

func (m *machine) top() (python.Value, error) {
	floor := 0
	if n := len(m.marks); n > 0 {
		floor = m.marks[n-1]
	}
	if len(m.stack) <= floor {
		return nil, errPickle
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (python.Value, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

// popMark removes the last mark and returns the values above it.
func (m *machine) popMark() ([]python.Value, error) {
	n := len(m.marks) - 1
	if n < 0 {
		return nil, errPickle
	}
	at := m.marks[n]
	m.marks = m.marks[:n]
	values := append([]python.Value(nil), m.stack[at:]...)
	m.stack = m.stack[:at]
	return values, nil
}

func (m *machine) byte() (byte, error) {
	if m.pos >= len(m.data) {
		return 0, errTruncated
	}
	m.pos++
	return m.data[m.pos-1], nil
}

// take reads n bytes. It fails before it allocates if they are not there.
func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.data)-m.pos {
		return nil, errTruncated
	}
	b := m.data[m.pos : m.pos+n]
	m.pos += n
	return b, nil
}

// sized reads a length of this many bytes, then that many bytes.
func (m *machine) sized(length int) ([]byte, error) {
	b, err := m.take(length)
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	for i := length - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	if n > uint64(len(m.data)) {
		return nil, errTruncated
	}
	return m.take(int(n))
}

func (m *machine) line() ([]byte, error) {
	end := bytes.IndexByte(m.data[m.pos:], '\n')
	if end < 0 {
		return nil, errTruncated
	}
	line := m.data[m.pos : m.pos+end]
	m.pos += end + 1
	return line, nil
}

// String keeps session data out of logs.
func (m *machine) String() string { return fmt.Sprintf("pickle.machine at %d", m.pos) }
