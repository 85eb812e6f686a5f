//go:build unix

package process

import "syscall"

// Pause stops the process and its children with SIGSTOP: it keeps its connections, the kernel even
// accepts new ones, but it does not answer.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP, true) }

// Resume continues the processes after Pause.
func (p *Process) Resume() { p.signal(syscall.SIGCONT, false) }

func (p *Process) signal(signal syscall.Signal, stops bool) {
	for _, pid := range append([]int{p.Pid()}, children(p.Pid())...) {
		_ = syscall.Kill(pid, signal)
		waitStopped(pid, stops)
	}
}
