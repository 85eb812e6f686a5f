package redistest

import (
	"errors"
	"fmt"
	"time"
)

// stop is an error that no waiting mends.
type stop struct{ error }

// wait tries until there is no error, and returns the last one when the time is over.
func wait(timeout time.Duration, try func() error) error {
	deadline := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		var final stop
		if errors.As(err, &final) {
			return final.error
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v: %w", timeout, err)
		}
		time.Sleep(pause)
	}
}
