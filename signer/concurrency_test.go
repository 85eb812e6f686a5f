// Many goroutines with one signer.

package signer_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// Hash states are shared through a pool: no goroutine may see another's.
func TestConcurrentUse(t *testing.T) {
	s := mustNew(t, signer.Options{Keys: keys("new key", "old key")})
	old := mustNew(t, signer.Options{Keys: keys("old key")})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				value := fmt.Sprintf("%d.%d", i, j)
				wantVerified(t, s, s.Sign(value), value, false)
				wantVerified(t, s, old.Sign(value), value, true)
				wantRefused(t, s, value+old.Sign(value))
			}
		})
	}
	group.Wait()
}
