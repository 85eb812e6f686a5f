package combiner

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrExited is what the callers of a batch get when run has left by
// [runtime.Goexit]. Whether their items were run is not known.
var ErrExited = errors.New("the goroutine that ran the batch has exited")

// PanicError is what the callers of a batch get when run has panicked. Whether
// their items were run is not known.
type PanicError struct {
	Value any    // what run panicked with
	Stack []byte // where, as debug.Stack writes it; for a log, not for users
}

func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// Error returns what run panicked with, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("running the batch panicked: %v", e.Value)
}

// Unwrap returns what run panicked with if that was an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
