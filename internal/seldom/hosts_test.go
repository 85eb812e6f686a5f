package seldom

import (
	"strconv"
	"testing"
)

// A host is warned of once, and only the first hundred are.
func TestHosts(t *testing.T) {
	var w Hosts
	for i := range maxHosts {
		if host := strconv.Itoa(i); !w.Due(host) || w.Due(host) || w.Due("0") {
			t.Fatalf("host %d is not warned of once", i)
		}
	}
	if w.Due("another") || len(w.seen) != maxHosts {
		t.Errorf("%d hosts", len(w.seen))
	}
}
