package redis

import (
	"fmt"
	"slices"
	"time"
)

// rules are what the servers promise, and so what may be asked of a history.
type rules struct {
	// mayLose says that the servers may forget what they have answered, as Redis does when a replica takes over that had
	// not been sent everything. What is lost is then counted, and no failure.
	mayLose bool

	// outdated says that a server that has been replaced may still answer for a moment. What is read there does not count.
	outdated bool

	// stale is how old what the other proxy has written may look.
	stale time.Duration

	// patience is what loading and saving may take each.
	patience time.Duration
}

// report is what the checker found.
type report struct {
	// problems are what must not be.
	problems []string

	// lost are answered changes that are not there in the end, ended the sessions that were not ended by
	// anyone, risen those that were and are there all the same, and stale the requests that were not shown what had
	// been there before. Unless the servers may lose, all are problems too.
	//
	// vanished are changes that were not answered, were seen, and are not there in the end.
	lost, ended, risen, stale, vanished []int

	// drops are the regenerates that gave no cookie, as their session was lost while they were under way.
	drops []int

	// gone are the sessions that are not there in the end, and were ended by nobody. What had been changed in them is not in lost.
	gone int

	// doubtful are the sessions that ended by a regenerate that was answered with 503. The first answer, with the new id, never came.
	doubtful int

	// load and commit are how long these took at most, and the same without what the machine had to do with it.
	load, commit, netLoad, netCommit time.Duration
}

func (r *report) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// check judges a history that is over.
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
			"was answered, and its change is lost": r.lost, "found that its session had ended": r.ended,
			"found a session that had been destroyed": r.risen, "was not shown what had been there before": r.stale,
			"was seen, and is not there in the end": r.vanished,
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

// answer checks what the client was told.
func (r *report) answer(o *op) {
	switch {
	case o.err != nil:
		r.problem("%v: %v", o, o.err)
	case o.status != 200 && o.status != 503:
		r.problem("%v: status %d", o, o.status)
	}
	gives := o.asked && (o.kind == create || o.kind == regenerate || o.kind == destroy)
	switch {
	case o.cookie && !(gives && o.ok()):
		r.problem("%v, with status %d, touched the cookie", o, o.status)
	case gives && o.ok() && !o.cookie && o.kind != regenerate: // for that see dropped
		r.problem("%v did not touch the cookie", o)
	}
}

// dropped checks that a regenerate without a new id was one whose session the servers lost while it was under way: then the
// change is dropped, and there is nothing to give a cookie for. Nobody finds such a session again, unless at a server that
// another proxy has not learned to be outdated.
func (r *report) dropped(ops []*op, rules rules) {
	for _, o := range ops {
		if o.kind != regenerate || !o.asked || !o.ok() || o.cookie {
			continue
		}
		there := slices.ContainsFunc(ops, func(later *op) bool {
			return later.sent > o.done && (later.proxy == o.proxy || later.kind == final) && later.found != nil && later.found.Owner == o.session
		})
		if there || !rules.mayLose {
			r.problem("%v did not touch the cookie, and its session was not lost", o)
		} else {
			r.drops = append(r.drops, o.number)
		}
	}
}

// contents checks that what each request was shown was the session's own, with each change once.
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
			r.problem("%v was shown the session %s", o, o.found.Owner)
			continue
		}
		if o.found.N != len(o.found.Changes) {
			r.problem("%v: a count of %d, and %d changes", o, o.found.N, len(o.found.Changes))
		}
		seen := make(map[int]bool)
		for _, n := range o.found.Changes {
			switch {
			case seen[n]:
				r.problem("%v: change %d was applied twice", o, n)
			case !sent[n]:
				r.problem("%v: change %d is none of this session's", o, n)
			}
			seen[n] = true
		}
	}
}

// visible is since when a change must be seen, and through which proxy it was made or seen.
type visible struct {
	at    time.Duration
	proxy int
}

// losses compares what was there at some time with what was seen later, and in the end.
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
		if o.found.Owner == o.session && !(o.kind == final) {
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

// lives checks that a session is there from the answer that began it to the request that ends it, and never again.
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

// slack is what loading and saving may take beyond the store's own time.
const slack = 100 * time.Millisecond

// pace checks how long loading and saving took: up to the backend, or to the answer without it; and from the backend's
// answer. What a request took meanwhile that has nothing to do with sessions is the machine's.
func (r *report) pace(h *history, rules rules) {
	for _, o := range h.ops {
		if o.kind == final {
			continue // others may be at work by then
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

// delay is what the machine may have delayed a request by: on its way to the store, and on its way back. So it is what the
// two slowest took together, of those that have nothing to do with sessions and were under way meanwhile, one after the other.
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
