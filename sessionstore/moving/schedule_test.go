package moving

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// fault is what happens to a step, which is an operation of a store by a process.
type fault byte

const (
	well    fault = iota
	crashes       // the process ends before the step
	fails         // the store says that it failed, and it did
	fooled        // the store says that it failed, but it did not
)

// choice is the next step of a schedule.
type choice struct {
	process int
	fault   fault
}

var (
	errCrash = errors.New("the process ends")
	errStore = errors.New("the store fails")
)

// world is one run: two stores with one key, and processes that use them in turns.
type world struct {
	from, to plain
	procs    []*process
	last     int // the process that has taken the last step
	faults   int // that may still happen
	switches int // to another process, while the one before goes on, that may still happen

	// calls are the operations of the moving stores, in the order in which they began.
	calls []*call
	clock int

	tokens map[string]string // the tokens of marks by the name of who made them
}

// call is an operation of a moving store, or of one of the stores alone.
type call struct {
	op         string // get, set or end
	old, value string
	begin, end int // end is 0 while it is under way
	failed     bool

	conflict bool
	found    string
}

// process runs a script.
type process struct {
	w     *world
	n     int
	store sessionstore.Store
	next  func() (struct{}, bool)
	stop  func()
	ended bool

	yield func(struct{}) bool
	now   fault
	seen  strings.Builder // what it has found out
	made  int             // its tokens
}

const key = "key"

// mode is how a process is configured.
type mode string

const (
	oldAlone mode = "old"
	holds    mode = "hold"
	moves    mode = "moving"
	newAlone mode = "new"
	back     mode = "back" // the other direction
)

func (p *process) open(m mode) sessionstore.Store {
	from, to := stepping{&p.w.from, p}, stepping{&p.w.to, p}
	switch m {
	case oldAlone:
		return from
	case holds:
		return New(from, to, true)
	case moves:
		return New(from, to, false)
	case back:
		return New(to, from, false)
	default:
		return to
	}
}

// begin starts a process, which waits before its first step.
func (w *world) begin(m mode, script string) {
	p := &process{w: w, n: len(w.procs)}
	p.store = p.open(m)
	w.procs = append(w.procs, p)
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			p.ended = true
			if err := recover(); err != nil && err != errCrash {
				panic(err)
			}
		}()
		p.yield = yield
		p.run(script)
	})
	p.next()
}

// do is a step. A process that reports ended in it has ended.
func (w *world) do(c choice) {
	p := w.procs[c.process]
	p.now = c.fault
	if w.last != c.process && !w.procs[w.last].ended {
		w.switches--
	}
	w.last = c.process
	if c.fault != well {
		w.faults--
	}
	if c.fault == crashes {
		p.ended = true
		p.stop()
		return
	}
	p.next()
}

// run runs a script: operations with a space between them.
func (p *process) run(script string) {
	var loaded string
	for i, op := range strings.Fields(script) {
		mine := fmt.Sprintf("by%d.%d", p.n, i)
		var c *call
		switch op {
		case "load":
			c = p.get()
			loaded = c.found
		case "create":
			c = p.set("", mine)
		case "change":
			c = p.set(loaded, mine)
		case "end":
			c = p.end(loaded)
		case "late-change": // of a process that had loaded the first record
			c = p.set("first", mine)
		case "late-end":
			c = p.end("first")
		default:
			panic(op)
		}
		if c.failed {
			return
		}
	}
}

func (p *process) call(c *call, do func() (sessionstore.Entry, error)) *call {
	p.w.clock++
	c.begin = p.w.clock
	p.w.calls = append(p.w.calls, c)
	e, err := do()
	if kindOf(e) != kindNone {
		e, err = sessionstore.Entry{}, sessionstore.ErrRecord // where one store is used alone
	}
	p.w.clock++
	c.end, c.found = p.w.clock, string(e.Value)
	switch {
	case err == nil:
	case errors.Is(err, sessionstore.ErrConflict):
		c.conflict = true
	default:
		c.failed = true
	}
	return c
}

func (p *process) get() *call {
	return p.call(&call{op: "get"}, func() (sessionstore.Entry, error) { return p.store.Get(context.Background(), key) })
}

func (p *process) set(old, value string) *call {
	var was []byte
	if old != "" {
		was = []byte(old)
	}
	return p.call(&call{op: "set", old: old, value: value}, func() (sessionstore.Entry, error) {
		return p.store.CompareAndSet(context.Background(), key, was, []byte(value), time.Hour)
	})
}

func (p *process) end(old string) *call {
	if old == "" {
		old = "nothing"
	}
	return p.call(&call{op: "end", old: old}, func() (sessionstore.Entry, error) {
		return p.store.CompareAndDelete(context.Background(), key, []byte(old))
	})
}

// state names all that decides what may still happen.
func (w *world) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%s|%d %d %d", w.name(w.from.value), w.name(w.to.value), w.last, w.faults, w.switches)
	for _, p := range w.procs {
		fmt.Fprintf(&b, "|%v %s", p.ended, p.seen.String())
	}
	for _, c := range w.calls {
		before := 0 // how many had ended when it began
		for _, o := range w.calls {
			if o.end != 0 && o.end < c.begin {
				before++
			}
		}
		fmt.Fprintf(&b, "|%s%s>%s %d %v", c.op, c.old, c.value, before, c.end != 0)
	}
	return b.String()
}

// name returns a value with the name of its token, which is random.
func (w *world) name(value []byte) string {
	k := kindOf(sessionstore.Entry{Value: value})
	if k == kindNone {
		return string(value)
	}
	return string(k) + w.tokens[string(value[len(magic)+1:markLen])] + string(value[markLen:])
}

// plain is a store with one record, which never expires.
type plain struct{ value []byte }

func (p *plain) entry() sessionstore.Entry {
	if p.value == nil {
		return sessionstore.Entry{}
	}
	return sessionstore.Entry{Value: p.value, TTL: time.Hour}
}

func (p *plain) set(old, value []byte) (sessionstore.Entry, error) {
	switch e := p.entry(); {
	case value != nil && is(e, value), value == nil && !e.Found():
	case old == nil && !e.Found(), old != nil && is(e, old):
		p.value = value
	default:
		return e, sessionstore.ErrConflict
	}
	return sessionstore.Entry{}, nil
}

// stepping is a store as a process uses it.
type stepping struct {
	*plain
	p *process
}

func (s stepping) step(do func() (sessionstore.Entry, error)) (e sessionstore.Entry, err error) {
	if s.p.yield == nil { // for the checks in the end
		return do()
	}
	if !s.p.yield(struct{}{}) {
		panic(errCrash)
	}
	now := s.p.now
	if now != fails {
		e, err = do()
	}
	if now != well {
		e, err = sessionstore.Entry{}, errStore
	}
	fmt.Fprintf(&s.p.seen, ",%s %v", s.p.w.name(e.Value), err)
	return e, err
}

func (s stepping) Get(context.Context, string) (sessionstore.Entry, error) {
	return s.step(func() (sessionstore.Entry, error) { return s.entry(), nil })
}

func (s stepping) CompareAndSet(_ context.Context, _ string, old, value []byte, _ time.Duration) (sessionstore.Entry, error) {
	return s.step(func() (sessionstore.Entry, error) {
		if kindOf(sessionstore.Entry{Value: value}) != kindNone {
			token := string(value[len(magic)+1 : markLen])
			if s.p.w.tokens[token] == "" {
				s.p.made++
				s.p.w.tokens[token] = fmt.Sprintf("(%d.%d)", s.p.n, s.p.made)
			}
		}
		return s.set(old, value)
	})
}

func (s stepping) CompareAndDelete(_ context.Context, _ string, old []byte) (sessionstore.Entry, error) {
	return s.step(func() (sessionstore.Entry, error) { return s.set(old, nil) })
}

func (s stepping) Touch(context.Context, string, []byte, time.Duration) error { return nil }

func (s stepping) Close() error { return nil }

// linear reports whether the calls can have happened one after the other, each between its begin
// and its end, on a single record. A call that failed, or whose process has ended, has happened at
// some time after its begin, or not at all.
func linear(calls []*call, record string) bool {
	for i, c := range calls {
		earlier := slices.ContainsFunc(calls, func(o *call) bool { return o != c && o.end != 0 && !o.failed && o.end < c.begin })
		if earlier {
			continue
		}
		rest := slices.Delete(slices.Clone(calls), i, i+1)
		unknown := c.end == 0 || c.failed
		if unknown && linear(rest, record) {
			return true
		}
		next, conflict, found := record, false, ""
		switch {
		case c.op == "get":
			found = record
		case c.op == "set" && record == c.value:
		case c.op == "set" && record == c.old:
			next = c.value
		case c.op == "end" && (record == c.old || record == ""):
			next = ""
		default:
			conflict, found = true, record
		}
		if (unknown || conflict == c.conflict && found == c.found) && linear(rest, next) {
			return true
		}
	}
	return len(calls) == 0
}
