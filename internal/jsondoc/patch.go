package jsondoc

import (
	"errors"
	"fmt"
)

// MaxOperations is how many operations a JSON Patch may have.
const MaxOperations = 256

// Patch is a JSON Patch (RFC 6902) with two further operations. increment adds a number to a
// number. A missing member counts as 0. append adds an item to the end of a list. A missing member
// counts as an empty list. A Patch is immutable and safe for concurrent use. The zero value changes
// nothing.
type Patch struct {
	operations []operation
}

type operation struct {
	kind  string
	path  pointer
	from  pointer
	value string // canonical

	// depth is how deep value nests.
	depth int
}

// PatchError says which operation of a JSON Patch is not valid or cannot be applied, and why. It
// wraps [ErrTooLarge] or [ErrTooDeep] if that is the reason.
type PatchError struct {
	// Index is the operation's place in the patch, from 0.
	Index int

	// Op is the operation's name. It is empty if the operation has no known name.
	Op string

	reason error
}

// Error implements error.
func (e *PatchError) Error() string {
	if e.Op == "" {
		return fmt.Sprintf("operation %d: %v", e.Index, e.reason)
	}
	return fmt.Sprintf("operation %d (%s): %v", e.Index, e.Op, e.reason)
}

// Unwrap implements the interface of [errors.Is].
func (e *PatchError) Unwrap() error { return e.reason }

var (
	errNotArray       = errors.New("a JSON Patch is an array")
	errManyOperations = fmt.Errorf("a JSON Patch has at most %d operations", MaxOperations)

	errNotObject = errors.New("it is not an object")
	errNoOp      = errors.New("its op is missing or unknown; known are add, remove, replace, move, copy, test, increment and append")
	errNoPath    = errors.New("its path is missing or is not a JSON Pointer")
	errNoFrom    = errors.New("its from is missing or is not a JSON Pointer")
	errNoValue   = errors.New("it has no value")
	errInside    = errors.New("it moves a value into itself")
)

// ParsePatch reads a JSON Patch. Everything that is not valid for any document is an error: a
// [*PatchError] if it is in one of the operations.
func ParsePatch(v Value) (Patch, error) {
	if v.Kind() != Array {
		return Patch{}, errNotArray
	}
	var p Patch
	for c := open(v); c.more(); {
		if len(p.operations) == MaxOperations {
			return Patch{}, errManyOperations
		}
		op, err := parseOperation(Value{text: c.value()})
		if err != nil {
			return Patch{}, &PatchError{Index: len(p.operations), Op: op.kind, reason: err}
		}
		p.operations = append(p.operations, op)
	}
	return p, nil
}

// parseOperation reads one operation. With an error, it returns the kind if that is known.
func parseOperation(v Value) (op operation, err error) {
	if v.Kind() != Object {
		return op, errNotObject
	}
	var kind, path, from string
	for c := open(v); c.more(); {
		name, value := c.name(), c.value()
		switch name {
		case "op":
			kind = value
		case "path":
			path = value
		case "from":
			from = value
		case "value":
			op.value = value
		}
	}
	var needsValue, needsFrom bool
	switch kind {
	case `"add"`, `"replace"`, `"test"`, `"increment"`, `"append"`:
		needsValue = true
	case `"copy"`, `"move"`:
		needsFrom = true
	case `"remove"`:
	default:
		return op, errNoOp
	}
	op.kind = unquote(kind)
	var ok bool
	if op.path, ok = quotedPointer(path); !ok {
		return op, errNoPath
	}
	switch {
	case needsValue && op.value == "":
		return op, errNoValue
	case needsValue:
		op.depth = depthOf(op.value)
	case needsFrom:
		if op.from, ok = quotedPointer(from); !ok {
			return op, errNoFrom
		}
	}
	if op.kind == "move" && op.path.inside(op.from) {
		return op, errInside
	}
	if op.kind == "increment" {
		if _, err = parseDecimal(op.value); err != nil {
			return op, fmt.Errorf("its value is %w", err)
		}
	}
	return op, nil
}

// quotedPointer reads a pointer in a canonical text, which must be a string.
func quotedPointer(text string) (pointer, bool) {
	if text == "" || text[0] != '"' {
		return nil, false
	}
	return parsePointer(unquote(text))
}

func unquote(text string) string { return text[1 : len(text)-1] }
