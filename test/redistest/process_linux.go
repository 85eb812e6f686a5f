package redistest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill the process if the test process ends without its cleanups, as
// it does at its time limit.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// isStopped reports whether a signal has stopped the process. known is false if that cannot be
// determined.
func isStopped(pid int) (stopped, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The state follows the name, which is in parentheses and may contain spaces.
	_, state, found := bytes.Cut(stat, []byte(") "))
	if err != nil || !found {
		return false, false
	}
	return state[0] == 'T', true
}
