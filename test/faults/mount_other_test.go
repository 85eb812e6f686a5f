//go:build !linux

package faults

import "testing"

// Only the Linux version can mount.
func mounted(*testing.T, string, bool) (away, back func() error) { return nil, nil }

func readonly(*testing.T, string) (end func() error) { return nil }
