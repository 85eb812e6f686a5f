package seldom

import "sync"

// maxHosts is the maximum number of hosts that are warned of. Clients can name any.
const maxHosts = 100

// Hosts is a warning to log once for each host. Its zero value is ready to use, also concurrently.
type Hosts struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// Due reports whether to log the warning for this host. The caller must then log it.
func (w *Hosts) Due(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.seen[host]; again || len(w.seen) == maxHosts {
		return false
	}
	if w.seen == nil {
		w.seen = make(map[string]struct{})
	}
	w.seen[host] = struct{}{}
	return true
}
