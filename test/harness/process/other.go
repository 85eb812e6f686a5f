//go:build !linux

package process

import "os/exec"

func endWithParent(*exec.Cmd) {}

func killChildren(int) {}

func children(int) []int { return nil }

func waitStopped(int, bool) {}
