//go:build !unix

package bolt

import "time"

func processorTime() time.Duration { return 0 }
