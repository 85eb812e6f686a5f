package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// appConns is how many connections an app's page is asked for over.
const appConns = 4

// system is a Caddy with an app behind it, and what it is loaded with.
type system struct {
	caddy        *process
	pids         []int // of all processes that work for it, but for their children
	read, change *load

	// reads and changes are what a request costs, in µs.
	reads, changes []float64
}

// startSystem starts a Caddy with a handler before a route to the app, which the processes serve.
func (b *bench) startSystem(handler, route string, pids ...int) (*system, error) {
	caddy, err := b.startCaddy(handler + "\nhandle {\n" + route + "\n}")
	if err != nil {
		return nil, err
	}
	s := &system{caddy: caddy, pids: append(pids, caddy.pid())}
	if s.read, err = dial(caddy.addr, createPath, anonymousPath, appConns, appConns); err != nil {
		return nil, err
	}
	if s.change, err = dial(caddy.addr, createPath, changePath, appConns, appConns); err != nil {
		return nil, err
	}
	return s, errors.Join(s.read.run(*requests), s.change.run(*requests)) // warm up
}

// startRedis starts the Redis of the systems.
func (b *bench) startRedis() (redis *redistest.Server, err error) {
	b.addrs["$REDIS"], err = b.tb.start(func(t testing.TB) string {
		redis = redistest.Start(t, redistest.Options{})
		return redis.Addr()
	})
	return redis, err
}

// measure measures a round.
func (s *system) measure() error {
	read, err := s.cost(s.read)
	if err != nil {
		return err
	}
	change, err := s.cost(s.change)
	s.reads, s.changes = append(s.reads, read), append(s.changes, change)
	return err
}

// cost is what a request costs all processes together, in µs.
func (s *system) cost(l *load) (float64, error) {
	before, err := cpuTimes(s.pids)
	if err != nil {
		return 0, err
	}
	if err := l.run(*requests); err != nil {
		return 0, err
	}
	after, err := cpuTimes(s.pids)
	return float64(after-before) / float64(*requests) / float64(time.Microsecond), err
}

// cpuTimes is what processes and their children have used.
func cpuTimes(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		if err != nil {
			return 0, err
		}
		var children []int
		for word := range strings.FieldsSeq(string(list)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				return 0, err
			}
			children = append(children, child)
		}
		below, err := cpuTimes(children)
		if err != nil {
			return 0, err
		}
		sum += used + below
	}
	return sum, nil
}

// row is what a row of a table says of the system, beside what it is compared with.
func (s *system) row(to *system) string {
	return fmt.Sprintf("%.0f | %.2f | %.0f | %.2f", middle(s.reads), middle(ratios(s.reads, to.reads)),
		middle(s.changes), middle(ratios(s.changes, to.changes)))
}

// ratios returns the ratio of each round.
func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

func (s *system) close() {
	s.read.close()
	s.change.close()
}
