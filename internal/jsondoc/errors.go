package jsondoc

import (
	"errors"
	"fmt"
)

var (
	// ErrSyntax means that a text is not JSON, or JSON with a duplicate key or with bytes that are
	// not UTF-8.
	ErrSyntax = errors.New("not valid JSON")

	// ErrTooDeep means that arrays and objects nest deeper than allowed.
	ErrTooDeep = errors.New("nested too deep")

	// ErrTooLarge means that a result is larger than allowed.
	ErrTooLarge = errors.New("too large")

	// ErrField means that a path is not valid, or leads to an item that a list of the document does
	// not have, or into a value that is neither an object nor a list.
	ErrField = errors.New("not a valid field")
)

// ParseError says what is wrong with a text, and where. It wraps [ErrSyntax] or [ErrTooDeep].
type ParseError struct {
	// Offset is the position in the text, in bytes.
	Offset int

	reason string
	kind   error
}

// Error implements error.
func (e *ParseError) Error() string { return fmt.Sprintf("%s at byte %d", e.reason, e.Offset) }

// Unwrap implements the interface of [errors.Is].
func (e *ParseError) Unwrap() error { return e.kind }
