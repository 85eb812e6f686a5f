package combiner

import (
	"errors"
	"fmt"
)

// errExited is the error of the callers of a batch whose run called [runtime.Goexit]. It is unknown
// whether their items were run.
var errExited = errors.New("the goroutine that ran the batch has exited")

// panicError is the error of the callers of a batch whose run panicked. It is unknown whether their
// items were run.
type panicError struct{ value any }

// Error returns the value of the panic.
func (e *panicError) Error() string {
	return fmt.Sprintf("running the batch panicked: %v", e.value)
}

// Unwrap returns the value of the panic if it is an error, else nil.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}
