package moving

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// scenario is what processes do at the same time.
type scenario struct {
	from, to string // the records at first
	modes    []mode
	scripts  []string
	faults   int
	switches int // to the other process, while the one before goes on
}

func (s *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %q to %q", s.from, s.to)
	for i := range s.modes {
		fmt.Fprintf(&b, "; %s: %s", s.modes[i], s.scripts[i])
	}
	return b.String()
}

func (s *scenario) begin() *world {
	w := &world{faults: s.faults, switches: s.switches, tokens: make(map[string]string)}
	if s.from != "" {
		w.from.value = []byte(s.from)
	}
	if s.to != "" {
		w.to.value = []byte(s.to)
	}
	for i := range s.modes {
		w.begin(s.modes[i], s.scripts[i])
	}
	return w
}

// longest is the number of steps of a schedule at which it is given up: two processes that create
// may hinder each other for ever.
const longest = 60

// explore runs every schedule of the scenario, and returns how many states there are and how many
// schedules were given up.
func (s *scenario) explore(t *testing.T) (states, givenUp int) {
	t.Helper()
	seen := make(map[string]bool)
	for todo := [][]choice{nil}; len(todo) > 0; {
		schedule := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		w := s.begin()
		for _, c := range schedule {
			w.do(c)
		}
		for {
			name := w.state()
			if len(schedule) > 0 && seen[name] {
				break
			}
			seen[name] = true
			choices := w.choices()
			if len(choices) == 0 {
				w.check(t, s, schedule)
				break
			}
			if len(schedule) == longest {
				givenUp++
				break
			}
			for _, c := range choices[1:] {
				todo = append(todo, append(slices.Clip(schedule), c))
			}
			schedule = append(slices.Clip(schedule), choices[0])
			w.do(choices[0])
		}
		for _, p := range w.procs {
			p.stop()
		}
		if t.Failed() {
			return len(seen), givenUp
		}
	}
	return len(seen), givenUp
}

func (w *world) choices() (all []choice) {
	for i, p := range w.procs {
		if p.ended || i != w.last && w.switches == 0 && !w.procs[w.last].ended {
			continue
		}
		all = append(all, choice{i, well})
		if w.faults > 0 {
			all = append(all, choice{i, crashes}, choice{i, fails}, choice{i, fooled})
		}
	}
	return all
}

// check looks at what a schedule has left.
func (w *world) check(t *testing.T, s *scenario, schedule []choice) {
	t.Helper()
	last := moves
	for _, m := range s.modes {
		if m == oldAlone || m == holds && last != back {
			last = holds
		} else if m == back {
			last = back
		}
	}
	calls := w.calls
	// Whoever comes next finds the same, whether it holds or moves.
	for _, m := range []mode{holds, last, last} {
		p := &process{w: w, n: len(w.procs)}
		p.store = p.open(m)
		p.get()
	}
	if !linear(w.calls, s.from+s.to) {
		t.Errorf("%v\nschedule %v", s, schedule)
		for _, c := range w.calls {
			t.Logf("%+v", *c)
		}
		t.Logf("before the last: %d; left: %q and %q", len(calls), w.name(w.from.value), w.name(w.to.value))
	}
}

// TestEverySchedule has two processes use the stores at once, in every order of their steps that
// turns to the other process at most twice, and with every fault in those that turn once. What they
// are told must be what a single store could have said. With CADDY_SESSION_LARGE, the schedules
// turn three times, and have a fault: more than a million states, in two minutes.
func TestEverySchedule(t *testing.T) {
	longtest.Test(t)
	type bound struct{ switches, faults int }
	bounds := []bound{{2, 0}, {1, 1}}
	if os.Getenv("CADDY_SESSION_LARGE") != "" {
		bounds = []bound{{3, 1}}
	}
	without := []string{"create", "load change", "create load end create"}
	with := []string{"load change", "load end", "late-change", "late-end", "load end create"}
	neighbours := [][]mode{{oldAlone, holds}, {holds, holds}, {holds, moves}, {moves, moves}, {moves, newAlone}, {holds, back}}
	for _, modes := range neighbours {
		t.Run(fmt.Sprint(modes), func(t *testing.T) {
			states, givenUp := 0, 0
			for _, at := range []scenario{{}, {from: "first"}, {to: "first"}} {
				if at.from != "" && modes[1] == newAlone || at.to != "" && modes[0] == oldAlone {
					continue // not to be configured so
				}
				scripts := with
				if at.from+at.to == "" {
					scripts = without
				}
				for _, one := range scripts {
					for _, two := range scripts {
						for _, b := range bounds {
							at.modes, at.scripts, at.switches, at.faults = modes, []string{one, two}, b.switches, b.faults
							n, up := at.explore(t)
							states, givenUp = states+n, givenUp+up
							if t.Failed() {
								return
							}
						}
					}
				}
			}
			t.Logf("%d states, %d schedules given up", states, givenUp)
		})
	}
}
