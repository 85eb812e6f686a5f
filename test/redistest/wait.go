package redistest

import (
	"errors"
	"fmt"
	"time"
)

// stop is an error that ends waiting.
type stop struct{ error }

// wait calls f until it succeeds, and returns its last error at the time limit.
func wait(timeout time.Duration, try func() error) error {
	deadline := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		if final, ok := errors.AsType[stop](err); ok {
			return final.error
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v: %w", timeout, err)
		}
		time.Sleep(pause)
	}
}
