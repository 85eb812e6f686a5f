package redis

import (
	"sync"
	"time"
)

// kind is the purpose of a request.
type kind int

const (
	create     kind = iota // begins a session
	change                 // increments the counter and appends its number to the list, in one change
	read                   // changes nothing
	regenerate             // a change that also asks for a new id
	destroy                // ends the session
	final                  // a read after the end of the run
)

var kinds = []string{"create", "change", "read", "regenerate", "destroy", "final read"}

func (k kind) String() string { return kinds[k] }

// changes reports whether requests of this kind add their number to the session.
func (k kind) changes() bool { return k == change || k == regenerate }

// data is the data of a session: its owner, the number of changes, and the list of changes. The
// checker compares number and list to see that each change was applied as a whole and once.
type data struct {
	Owner   string `json:"owner"`
	N       int    `json:"n"`
	Changes []int  `json:"changes"`
}

// op is a request and its result. Times are since the start of the history.
type op struct {
	number  int
	kind    kind
	session string
	proxy   int

	sent time.Duration

	// reached is when the backend got the request, answered when it responded. asked says that the
	// response had a change. found is the session's data, or nil if the backend was not called.
	reached, answered time.Duration
	asked             bool
	found             *data

	// done is when the response arrived, cookie whether it set one, err any other failure.
	done   time.Duration
	status int
	cookie bool
	err    error
}

func (o *op) ok() bool { return o.status == 200 }

// history is everything that happened in one run.
type history struct {
	began time.Time

	mu     sync.Mutex
	ops    []*op
	paces  []pace
	faults []fault
}

// pace is the duration of a request without a session, through the same proxy at the same time to
// the same backend: it measures the delay of the machine.
type pace struct {
	proxy      int
	sent, done time.Duration
}

// fault is something done to the servers. end is when they should be healthy again.
type fault struct {
	name       string
	begin, end time.Duration
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() time.Duration { return time.Since(h.began) }

// begin records a request that is about to be sent.
func (h *history) begin(k kind, session string, proxy int) *op {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &op{number: len(h.ops), kind: k, session: session, proxy: proxy, sent: h.now()}
	h.ops = append(h.ops, o)
	return o
}

// update changes the record of a request.
func (h *history) update(number int, set func(*op)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number >= 0 && number < len(h.ops) {
		set(h.ops[number])
	}
}

// kindOf returns what the backend must know about a request.
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

// counts are the responses to requests that were sent to a proxy in a period.
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

// during returns the number of requests in a period that ended with 503.
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

// when names the fault at a moment, or the last one before it.
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
