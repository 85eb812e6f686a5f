package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// phpSessions are where the sessions of a PHP page can be: lines of the pool of php-fpm, and what
// stands before php_fastcgi.
var phpSessions = []struct {
	name    string
	pool    []string
	handler string
}{
	{"PHP's files", nil, ""},
	{"phpredis", inPHPRedis, ""},
	{"phpredis, with its locks", append([]string{"php_value[redis.session.locking_enabled] = 1", "php_value[redis.session.lock_retries] = 1000"}, inPHPRedis...), ""},
	{"`session.php`, `memory`", prepended, inMemory},
	{"`session.php`, `bolt`", prepended, inBolt},
	{"`session.php`, `redis`", prepended, inRedis},
}

var (
	inPHPRedis = []string{"php_value[session.save_handler] = redis", "php_value[session.save_path] = tcp://$REDIS"}
	prepended  = []string{"php_value[auto_prepend_file] = " + filepath.Join(harness.Root(), "clients", "php", "session.php"), "env[CADDY_SESSION_KEY] = bench"}
)

const (
	slowPath = "/?slow" // takes 100 ms

	// atOnce is how many slow pages one visitor asks for at once. As many workers wait for them.
	atOnce = 10

	phpConns = 4
)

// phpSide is a Caddy with php-fpm behind it, and what it is loaded with.
type phpSide struct {
	pids         []int // of all processes that work for it
	read, change *load
	slow         *load // of one visitor

	// reads and changes are what a request costs, in µs; waits how long those at once take, in ms.
	reads, changes, waits []float64
}

// php prints what the same page of PHP costs with its sessions in one place and in another: the
// processor time of all processes together, and how long pages of one visitor take at once.
func (b *bench) php(out io.Writer) error {
	var redis *redistest.Server
	_, err := b.tb.start(func(t testing.TB) string {
		redis = redistest.Start(t, redistest.Options{})
		return redis.Addr()
	})
	if err != nil {
		return err
	}
	b.addrs["$REDIS"] = redis.Addr()
	var sides []*phpSide
	for _, s := range phpSessions {
		side, err := b.phpSide(s.pool, s.handler, redis)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer side.close()
		sides = append(sides, side)
	}
	for range *pairs * *rounds {
		for i, side := range sides {
			if err := side.measure(); err != nil {
				return fmt.Errorf("%s: %w", phpSessions[i].name, err)
			}
		}
	}
	fmt.Fprintln(out, "| sessions | read, µs | ratio | change, µs | ratio | ten at once, ms |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- |")
	for i, side := range sides {
		fmt.Fprintf(out, "| %s | %.0f | %.2f | %.0f | %.2f | %.0f |\n", phpSessions[i].name, middle(side.reads), middle(ratios(side.reads, sides[0].reads)),
			middle(side.changes), middle(ratios(side.changes, sides[0].changes)), median(side.waits))
	}
	fmt.Fprintf(out, "\nMeasured in %d rounds of %d requests.\n", *pairs**rounds, *requests)
	return nil
}

// ratios returns the ratio of each round.
func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

func (b *bench) phpSide(pool []string, handler string, redis *redistest.Server) (*phpSide, error) {
	lines := []string{fmt.Sprint("pm.max_children = ", atOnce)}
	for _, line := range pool {
		lines = append(lines, strings.ReplaceAll(line, "$REDIS", redis.Addr()))
	}
	var fpm harness.FPM
	if _, err := b.tb.start(func(t testing.TB) string { fpm = harness.StartFPM(t, lines...); return fpm.Addr }); err != nil {
		return nil, err
	}
	caddy, err := b.startCaddy(handler + "\nhandle {\nroot " + filepath.Join(harness.Root(), "test", "bench", "php") + "\nphp_fastcgi " + fpm.Addr + "\n}")
	if err != nil {
		return nil, err
	}
	s := &phpSide{pids: []int{caddy.pid(), fpm.Pid}}
	if strings.Contains(strings.Join(pool, "")+handler, "$REDIS") {
		s.pids = append(s.pids, redis.Pid())
	}
	workers, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", fpm.Pid))
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(workers)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		s.pids = append(s.pids, pid)
	}
	if s.read, err = dial(caddy.addr, createPath, anonymousPath, phpConns, phpConns); err != nil {
		return nil, err
	}
	if s.change, err = dial(caddy.addr, createPath, changePath, phpConns, phpConns); err != nil {
		return nil, err
	}
	if s.slow, err = dial(caddy.addr, "", slowPath, atOnce, 0); err != nil {
		return nil, err
	}
	for _, c := range s.slow.conns {
		c.cookies = s.read.conns[0].cookies
		c.prepare(caddy.addr, slowPath)
	}
	return s, errors.Join(s.read.run(*requests), s.change.run(*requests)) // warm up
}

// measure measures a round.
func (s *phpSide) measure() error {
	read, err := s.cost(s.read)
	if err != nil {
		return err
	}
	change, err := s.cost(s.change)
	if err != nil {
		return err
	}
	s.reads, s.changes = append(s.reads, read), append(s.changes, change)
	start := time.Now()
	err = s.slow.each(func(_ int, c *conn) error { return c.do() })
	s.waits = append(s.waits, float64(time.Since(start))/float64(time.Millisecond))
	return err
}

// cost is what a request costs all processes together, in µs.
func (s *phpSide) cost(l *load) (float64, error) {
	before, err := s.cpuTime()
	if err != nil {
		return 0, err
	}
	if err := l.run(*requests); err != nil {
		return 0, err
	}
	after, err := s.cpuTime()
	return float64(after-before) / float64(*requests) / float64(time.Microsecond), err
}

func (s *phpSide) cpuTime() (sum time.Duration, err error) {
	for _, pid := range s.pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func (s *phpSide) close() {
	for _, l := range []*load{s.read, s.change, s.slow} {
		l.close()
	}
}
