//go:build !linux

package redistest

import "os/exec"

func endWithParent(*exec.Cmd) {}

func isStopped(int) (stopped, known bool) { return false, false }
