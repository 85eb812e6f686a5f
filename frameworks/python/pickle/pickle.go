// Package pickle reads and writes Python's pickles, protocols 0 to 5, without running anything:
// what Python would call or make becomes a [python.Object] that describes it, and is written back
// unchanged.
//
// The opcodes are those of Python's pickletools. Extension registries, persistent ids, old-style
// instances and out-of-band buffers are errors: sessions do not use them.
package pickle

import (
	"errors"
	"fmt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxProtocol is the newest protocol that is supported.
const maxProtocol = 5

// The opcodes that are supported.
const (
	opMark           = '('
	opStop           = '.'
	opPop            = '0'
	opPopMark        = '1'
	opDup            = '2'
	opFloat          = 'F'
	opInt            = 'I'
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opLong           = 'L'
	opBinInt2        = 'M'
	opNone           = 'N'
	opReduce         = 'R'
	opString         = 'S'
	opBinString      = 'T'
	opShortBinString = 'U'
	opUnicode        = 'V'
	opBinUnicode     = 'X'
	opAppend         = 'a'
	opBuild          = 'b'
	opGlobal         = 'c'
	opDict           = 'd'
	opEmptyDict      = '}'
	opAppends        = 'e'
	opGet            = 'g'
	opBinGet         = 'h'
	opLongBinGet     = 'j'
	opList           = 'l'
	opEmptyList      = ']'
	opPut            = 'p'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opSetItem        = 's'
	opTuple          = 't'
	opEmptyTuple     = ')'
	opSetItems       = 'u'
	opBinFloat       = 'G'

	opProto    = 0x80
	opNewObj   = 0x81
	opTuple1   = 0x85
	opTuple2   = 0x86
	opTuple3   = 0x87
	opNewTrue  = 0x88
	opNewFalse = 0x89
	opLong1    = 0x8a
	opLong4    = 0x8b

	opBinBytes      = 'B'
	opShortBinBytes = 'C'

	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

var (
	errPickle    = fmt.Errorf("%w: not a pickled session", sessionstore.ErrRecord)
	errTruncated = fmt.Errorf("%w: the pickle is truncated", sessionstore.ErrRecord)
	errForbidden = fmt.Errorf("%w: the pickle names a class or function that sessions may not use", sessionstore.ErrRecord)
	errCycle     = fmt.Errorf("%w: the session refers to itself in a way that cannot be pickled", sessionstore.ErrInvalid)
)

// IsPickle reports whether data begins like a pickled dict. Protocols 0 and 1 have no header: only
// the opcodes of the dict identify them.
func IsPickle(data []byte) bool {
	if len(data) < 2 {
		return false
	}
	switch data[0] {
	case opProto:
		return 2 <= data[1] && data[1] <= maxProtocol
	case opMark:
		return data[1] == opDict
	case opEmptyDict:
		return true
	default:
		return false
	}
}

// asRecord makes sure that err wraps [sessionstore.ErrRecord].
func asRecord(err error) error {
	if err == nil || errors.Is(err, sessionstore.ErrRecord) {
		return err
	}
	return errPickle
}
