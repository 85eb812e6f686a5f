package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// incidents are the last of each kind of what went wrong with the app's answers, for those who ask
// why a change is not there. They hold no data.
type incidents struct {
	mu   sync.Mutex
	last map[string]incident // by the format of the text, and what to do
}

type incident struct {
	at       time.Time
	text, do string
}

// What to do about an incident.
const (
	correctApp = "correct the app, if it is this that is missing"
	lookAtLog  = "the log of Caddy has the lines of this store; docs/troubleshooting.md says what to do about each"
)

// remember keeps an incident.
func (h *Handler) remember(do, format string, args ...any) {
	h.incidents.mu.Lock()
	defer h.incidents.mu.Unlock()
	if h.incidents.last == nil {
		h.incidents.last = make(map[string]incident)
	}
	h.incidents.last[format+do] = incident{time.Now(), fmt.Sprintf(format, args...), do}
}

// remembered returns the incidents, the last one first.
func (h *Handler) remembered() []incident {
	h.incidents.mu.Lock()
	defer h.incidents.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.incidents.last), func(a, b incident) int { return b.at.Compare(a.at) })
}
