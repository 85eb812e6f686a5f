package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// WaitStopped waits until a SIGSTOP has stopped all threads of a process, if /proc can tell: until
// then the process may answer.
func WaitStopped(pid int) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		running := false
		for _, path := range threads {
			stat, _ := os.ReadFile(path)
			// The state follows the name, which is in parentheses and may contain spaces.
			if _, state, found := bytes.Cut(stat, []byte(") ")); found && state[0] != 'T' {
				running = true
			}
		}
		if !running {
			return
		}
	}
}
