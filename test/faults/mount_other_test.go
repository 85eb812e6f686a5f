//go:build !linux

package faults

import "testing"

// mounted cannot mount here.
func mounted(*testing.T, string, bool) (away, back func() error) { return nil, nil }
