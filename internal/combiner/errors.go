package combiner

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrExited is the error of the callers of a batch whose run called [runtime.Goexit]. It is unknown
// whether their items were run.
var ErrExited = errors.New("the goroutine that ran the batch has exited")

// PanicError is the error of the callers of a batch whose run panicked. It is unknown whether their
// items were run.
type PanicError struct {
	Value any    // the value of the panic
	Stack []byte // the stack as debug.Stack formats it; for logs, not for users
}

func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// Error returns the value of the panic, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("running the batch panicked: %v", e.Value)
}

// Unwrap returns the value of the panic if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
