package redis

import (
	"fmt"
	"slices"
	"time"
)

// rules are the guarantees of the servers, which decide what the checker accepts.
type rules struct {
	// mayLose says that the servers may lose confirmed writes, as Redis does when a replica that
	// has not received them is promoted. Losses are then counted and are not failures.
	mayLose bool

	// outdated says that a replaced server may still answer for a moment. Reads from it do not
	// count.
	outdated bool

	// stale is how long the other proxy's writes may stay invisible.
	stale time.Duration

	// patience is the time limit for a load and for a commit.
	patience time.Duration
}

// report is the checker's result.
type report struct {
	// problems are violations of the guarantees.
	problems []string

	// lost are confirmed changes that are missing in the end; ended are sessions that are gone
	// though nobody ended them; risen are sessions that are there though they were ended; stale are
	// requests that did not see earlier changes. Unless mayLose is set, all are problems too.
	//
	// vanished are unconfirmed changes that were seen and are missing in the end.
	lost, ended, risen, stale, vanished []int

	// drops are the regenerates without a cookie because their session was lost meanwhile.
	drops []int

	// gone counts the sessions that are missing in the end though nobody ended them. Their changes
	// are not in lost.
	gone int

	// doubtful counts the sessions that ended by a regenerate whose response was 503: the first
	// response, with the new id, never arrived.
	doubtful int

	// load and commit are the longest times; net are the same without the machine's delay.
	load, commit, netLoad, netCommit time.Duration
}

func (r *report) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// check checks a finished history.
func check(h *history, rules rules) *report {
	r := new(report)
	bySession := make(map[string][]*op)
	for _, o := range h.ops {
		bySession[o.session] = append(bySession[o.session], o)
		r.answer(o)
	}
	for _, ops := range bySession {
		r.contents(ops)
		r.losses(ops, rules)
		r.lives(ops)
		r.dropped(ops, rules)
	}
	r.pace(h, rules)
	if !rules.mayLose {
		for what, numbers := range map[string][]int{
			"was confirmed, but its change is lost": r.lost, "found that its session had ended": r.ended,
			"found a destroyed session": r.risen, "did not see an earlier change": r.stale,
			"was seen, but is missing in the end": r.vanished,
		} {
			for _, n := range numbers {
				if o := h.ops[n]; o.kind == final || o.kind.changes() && slices.Contains(r.lost, n) || !rules.outdated {
					r.problem("%v %s", o, what)
				}
			}
		}
	}
	return r
}

func (o *op) String() string {
	return fmt.Sprintf("%v %d of %s by proxy %d at %v", o.kind, o.number, o.session, o.proxy, o.sent.Round(time.Millisecond))
}

// answer checks the response.
func (r *report) answer(o *op) {
	switch {
	case o.err != nil:
		r.problem("%v: %v", o, o.err)
	case o.status != 200 && o.status != 503:
		r.problem("%v: status %d", o, o.status)
	}
	gives := o.asked && (o.kind == create || o.kind == regenerate || o.kind == destroy)
	switch {
	case o.cookie && (!gives || !o.ok()):
		r.problem("%v, with status %d, touched the cookie", o, o.status)
	case gives && o.ok() && !o.cookie && o.kind != regenerate: // checked by dropped
		r.problem("%v did not touch the cookie", o)
	}
}

// dropped checks that a regenerate without a new id lost its session meanwhile: then its change is
// dropped and there is no session for a cookie. Later requests must not find the session, except on
// a server that the other proxy still takes for the master.
func (r *report) dropped(ops []*op, rules rules) {
	for _, o := range ops {
		if o.kind != regenerate || !o.asked || !o.ok() || o.cookie {
			continue
		}
		there := slices.ContainsFunc(ops, func(later *op) bool {
			return later.sent > o.done && (later.proxy == o.proxy || later.kind == final) && later.found != nil && later.found.Owner == o.session
		})
		if there || !rules.mayLose {
			r.problem("%v did not touch the cookie, but its session was not lost", o)
		} else {
			r.drops = append(r.drops, o.number)
		}
	}
}

// contents checks that each request saw its own session, with each change applied once.
func (r *report) contents(ops []*op) {
	sent := make(map[int]bool)
	for _, o := range ops {
		sent[o.number] = o.asked && o.kind.changes()
	}
	for _, o := range ops {
		if o.found == nil || o.found.Owner == "" {
			continue
		}
		if o.found.Owner != o.session {
			r.problem("%v saw the session %s", o, o.found.Owner)
			continue
		}
		if o.found.N != len(o.found.Changes) {
			r.problem("%v: a count of %d, but %d changes", o, o.found.N, len(o.found.Changes))
		}
		seen := make(map[int]bool)
		for _, n := range o.found.Changes {
			switch {
			case seen[n]:
				r.problem("%v: change %d was applied twice", o, n)
			case !sent[n]:
				r.problem("%v: change %d does not belong to this session", o, n)
			}
			seen[n] = true
		}
	}
}

// visible is the time from which a change must be seen, and the proxy that made or saw it.
type visible struct {
	at    time.Duration
	proxy int
}

// losses compares what was there at some time with later reads and with the end.
func (r *report) losses(ops []*op, rules rules) {
	var last, finals []*op
	known := make(map[int][]visible)
	for _, o := range ops {
		if o.ok() && o.asked && o.kind.changes() {
			known[o.number] = append(known[o.number], visible{o.done, o.proxy})
		}
		if o.kind == final && o.found != nil && o.found.Owner == o.session {
			finals = append(finals, o)
		}
		if o.found == nil {
			continue
		}
		for _, n := range o.found.Changes {
			if v := known[n]; !slices.ContainsFunc(v, func(v visible) bool { return v.proxy == o.proxy && v.at <= o.reached }) {
				known[n] = append(v, visible{o.reached, o.proxy})
			}
		}
		if o.found.Owner == o.session && o.kind != final {
			last = append(last, o)
		}
	}
	answered := make(map[int]bool)
	for _, o := range ops {
		answered[o.number] = o.ok()
	}
	gone := make(map[int]bool)
	for n := range known {
		if slices.ContainsFunc(finals, func(o *op) bool { return !slices.Contains(o.found.Changes, n) }) {
			gone[n] = true
			if answered[n] {
				r.lost = append(r.lost, n)
			} else {
				r.vanished = append(r.vanished, n)
			}
		}
	}
	for _, o := range last {
		for n, all := range known {
			due := slices.ContainsFunc(all, func(v visible) bool {
				if v.proxy != o.proxy {
					return o.sent > v.at+rules.stale
				}
				return o.sent > v.at
			})
			if due && !gone[n] && !slices.Contains(o.found.Changes, n) {
				r.stale = append(r.stale, o.number)
				break
			}
		}
	}
}

// lives checks that a session exists from the response that began it to the request that ends it,
// and never again.
func (r *report) lives(ops []*op) {
	began, ends, ended := never, never, never
	doubt := false
	for _, o := range ops {
		switch {
		case o.kind == create && o.ok():
			began = o.done
		case o.kind == destroy && o.asked:
			ends = min(ends, o.sent)
			if o.ok() {
				ended = min(ended, o.done)
			}
		case o.kind == regenerate && o.asked && !o.ok():
			doubt = true
		}
	}
	missing, gone := false, false
	for _, o := range ops {
		if o.found == nil || o.kind == create {
			continue
		}
		switch there := o.found.Owner == o.session; {
		case there && o.sent > ended:
			r.risen = append(r.risen, o.number)
		case there || o.sent < began || o.done >= ends:
		case doubt:
			missing = true
		default:
			r.ended = append(r.ended, o.number)
			gone = gone || o.kind == final
		}
	}
	if gone {
		r.gone++
	}
	if missing {
		r.doubtful++
	}
}

const never = time.Duration(1<<63 - 1)

// slack is what loading and saving may take in addition to the store's time.
const slack = 100 * time.Millisecond

// pace checks the time of loads and commits: from the request to the backend (or to the response,
// if the backend was not called), and from the backend's response on. The machine's delay is
// subtracted: how long simultaneous requests without sessions took.
func (r *report) pace(h *history, rules rules) {
	for _, o := range h.ops {
		if o.kind == final {
			continue // the load of other tests may have begun
		}
		load, commit := o.done-o.sent, time.Duration(0)
		if o.found != nil {
			load, commit = o.reached-o.sent, o.done-o.answered
		}
		r.load, r.commit = max(r.load, load), max(r.commit, commit)
		if load <= r.netLoad && commit <= r.netCommit {
			continue
		}
		delay := h.delay(o)
		r.netLoad, r.netCommit = max(r.netLoad, load-delay), max(r.netCommit, commit-delay)
		if limit := rules.patience + slack; load-delay > limit || commit-delay > limit {
			r.problem("%v took %v to load and %v to save, on a machine that delays by %v", o, load, commit, delay)
		}
	}
}

// delay is how long the machine may have delayed a request, on its way to the store and back: the
// sum of the two slowest requests without sessions that ran meanwhile, one after the other.
func (h *history) delay(o *op) time.Duration {
	var longest, second time.Duration
	for _, p := range h.paces {
		if p.proxy == o.proxy && p.sent <= o.done && p.done >= o.sent {
			took := p.done - p.sent
			second = max(second, min(longest, took))
			longest = max(longest, took)
		}
	}
	return longest + second
}
