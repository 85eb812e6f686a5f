//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endWithParent has the kernel kill the process if the test process ends first.
func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// killChildren stops a process first, so that it starts no more children.
func killChildren(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	for _, child := range children(pid) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
}

func children(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// waitStopped waits until a SIGSTOP has stopped all threads of a process, or a SIGCONT has let one
// of them run: until then the process may answer, or may not.
func waitStopped(pid int, stopped bool) {
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
		if running != stopped || threads == nil {
			return
		}
	}
}
