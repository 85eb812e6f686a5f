package mongotest

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill the process if the test process ends without its cleanups, as
// it does at its time limit.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
