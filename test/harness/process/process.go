// Package process runs the servers of tests. They end with the test process, also if it ends
// without its cleanups, as it does at its time limit.
package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is one run of a program.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a command.
func Start(cmd *exec.Cmd) (*Process, error) {
	endWithParent(cmd)
	started := make(chan error)
	starter() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// starter is a thread that starts all processes and never ends: Linux sends the signal of
// [endWithParent] when the thread that started the process ends.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited returns a channel that is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Stop ends the process with SIGTERM and reports whether it ended within the limit. If not, Stop
// kills it.
func (p *Process) Stop(limit time.Duration) bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return true
	case <-time.After(limit):
		p.Kill()
		return false
	}
}

// Kill kills the process and its children with SIGKILL, unless it has ended. PostgreSQL has a child
// for each connection. Of no process, it does nothing.
func (p *Process) Kill() {
	if p == nil {
		return
	}
	if p.Running() {
		killChildren(p.Pid())
		_ = p.cmd.Process.Kill()
	}
	<-p.exited
}
