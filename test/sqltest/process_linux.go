package sqltest

import "syscall"

// endWithParent has the kernel kill the process if the test process ends without its cleanups, as
// it does at its time limit.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
