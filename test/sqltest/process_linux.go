package sqltest

import "syscall"

// endWithParent has the process killed if that of the tests ends without its cleanups, as it does at its time limit.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
