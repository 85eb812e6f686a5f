//go:build !linux

package faults

import "testing"

// Nothing can be mounted here.
func mounted(*testing.T, string, bool) (away, back func() error) { return nil, nil }

func readonly(*testing.T, string) (end func() error) { return nil }
