package redis

import (
	"sync"
	"time"
)

// kind is what a request is for.
type kind int

const (
	create     kind = iota // begins a session
	change                 // counts, and adds its number to the list, in one change
	read                   // changes nothing
	regenerate             // is a change that also asks for a new id
	destroy                // ends the session
	final                  // is a read after all is over
)

var kinds = []string{"create", "change", "read", "regenerate", "destroy", "final read"}

func (k kind) String() string { return kinds[k] }

// changes reports whether requests of the kind leave their number in the session.
func (k kind) changes() bool { return k == change || k == regenerate }

// data is what a session holds: whose it is, how many changes were made to it, and which. That they tell
// the same is how the checker sees that a change was made as a whole, and once.
type data struct {
	Owner   string `json:"owner"`
	N       int    `json:"n"`
	Changes []int  `json:"changes"`
}

// op is a request and what became of it. Times are since the history began.
type op struct {
	number  int
	kind    kind
	session string
	proxy   int

	sent time.Duration

	// reached is when the backend was asked, and answered when its answer left; asked says that the answer asked
	// for a change, and found is what the session held. found is nil if the backend was not asked.
	reached, answered time.Duration
	asked             bool
	found             *data

	// done is when the answer came, cookie whether one was set with it, err what else went wrong.
	done   time.Duration
	status int
	cookie bool
	err    error
}

func (o *op) ok() bool { return o.status == 200 }

// history is all that was done in one run.
type history struct {
	began time.Time

	mu     sync.Mutex
	ops    []*op
	paces  []pace
	faults []fault
}

// pace is how long a request took that has nothing to do with sessions. It went through the same proxy, at the same
// time, to the same backend: what it had to wait, the machine is to blame for.
type pace struct {
	proxy      int
	sent, done time.Duration
}

// fault is something that was done to the servers. end is when they should be well again.
type fault struct {
	name       string
	begin, end time.Duration
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() time.Duration { return time.Since(h.began) }

// begin notes a request that is about to be sent.
func (h *history) begin(k kind, session string, proxy int) *op {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &op{number: len(h.ops), kind: k, session: session, proxy: proxy, sent: h.now()}
	h.ops = append(h.ops, o)
	return o
}

// update changes what is known of a request.
func (h *history) update(number int, set func(*op)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number >= 0 && number < len(h.ops) {
		set(h.ops[number])
	}
}

// kindOf returns what the backend must know of a request.
func (h *history) kindOf(number int) (k kind, session string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number < 0 || number >= len(h.ops) {
		return 0, "", false
	}
	return h.ops[number].kind, h.ops[number].session, true
}

func (h *history) addPace(p pace) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paces = append(h.paces, p)
}

// counts are the answers to what was sent to a proxy in a time.
type counts struct {
	ok, unavailable int

	// firstOK and lastUnavailable are when these answers came.
	firstOK, lastUnavailable time.Duration
}

func (h *history) count(proxy int, from, to time.Duration) counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c counts
	for _, o := range h.ops {
		switch {
		case o.proxy != proxy || o.sent < from || o.sent > to || o.done == 0:
		case o.ok():
			if c.ok++; c.firstOK == 0 || o.done < c.firstOK {
				c.firstOK = o.done
			}
		case o.status == 503:
			c.unavailable++
			c.lastUnavailable = max(c.lastUnavailable, o.done)
		}
	}
	return c
}

// during is how many requests that were under way in a time ended with 503.
func (h *history) during(from, to time.Duration) (unavailable int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.ops {
		if o.status == 503 && o.done >= from && o.sent <= to {
			unavailable++
		}
	}
	return unavailable
}

// when names the fault in which a moment was, or the last one before it.
func (h *history) when(at time.Duration) string {
	name := "before all faults"
	for _, f := range h.faults {
		switch {
		case at >= f.end:
			name = "after " + f.name
		case at >= f.begin:
			name = "during " + f.name
		}
	}
	return name
}
