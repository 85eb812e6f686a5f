package redistest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// endWithParent has the process killed if that of the tests ends without its cleanups, as it does at its time limit.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// isStopped reports whether the process is stopped by a signal, and whether that can be known.
func isStopped(pid int) (stopped, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The state follows the name, which is in parentheses.
	_, state, found := bytes.Cut(stat, []byte(") "))
	if err != nil || !found {
		return false, false
	}
	return state[0] == 'T', true
}
