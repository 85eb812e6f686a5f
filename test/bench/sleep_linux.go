package main

import (
	"syscall"
	"time"
)

// sleeper returns a sleep for this thread that ends in time to some microseconds: Go waits for
// whole milliseconds where it waits for connections too, and the kernel for up to 50 microseconds
// more, to save energy.
func sleeper() func(time.Duration) {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	return func(d time.Duration) {
		if d > 0 {
			t := syscall.NsecToTimespec(int64(d))
			_ = syscall.Nanosleep(&t, nil)
		}
	}
}
