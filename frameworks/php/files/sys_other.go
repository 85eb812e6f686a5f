//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package files

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// state is what a file system says of an open file.
type state struct {
	regular           bool
	uid               int
	size              int64
	modified, changed time.Time
}

var errSystem = fmt.Errorf("locking files on this system: %w", errors.ErrUnsupported)

func stateOf(*os.File) (state, error) { return state{}, errSystem }

func (*Store) stamp(string, time.Duration) error { return errSystem }
