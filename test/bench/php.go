package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
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
)

// phpSide is a system with php-fpm.
type phpSide struct {
	*system
	slow  *load     // of one visitor
	waits []float64 // how long those at once take, in ms
}

// php prints what the same page of PHP costs with its sessions in one place and in another: the
// processor time of all processes together, and how long pages of one visitor take at once.
func (b *bench) php(out io.Writer) error {
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
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
			if err := errors.Join(side.measure(), side.wait()); err != nil {
				return fmt.Errorf("%s: %w", phpSessions[i].name, err)
			}
		}
	}
	fmt.Fprintln(out, "| sessions | read, µs | ratio | change, µs | ratio | ten at once, ms |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- |")
	for i, side := range sides {
		fmt.Fprintf(out, "| %s | %s | %.0f |\n", phpSessions[i].name, side.row(sides[0].system), median(side.waits))
	}
	fmt.Fprintf(out, "\nMeasured in %d rounds of %d requests.\n", *pairs**rounds, *requests)
	return nil
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
	pids := []int{fpm.Pid}
	if strings.Contains(strings.Join(pool, "")+handler, "$REDIS") {
		pids = append(pids, redis.Pid())
	}
	s, err := b.startSystem(handler, phpRoute("php", fpm), pids...)
	if err != nil {
		return nil, err
	}
	side := &phpSide{system: s}
	if side.slow, err = dial(s.caddy.addr, "", slowPath, atOnce, 0); err != nil {
		return nil, err
	}
	for _, c := range side.slow.conns {
		c.cookies = s.read.conns[0].cookies
		c.prepare(s.caddy.addr, slowPath)
	}
	return side, nil
}

// phpRoute leads to a page of php-fpm.
func phpRoute(folder string, fpm harness.FPM) string {
	return "root " + pages(folder) + "\nphp_fastcgi " + fpm.Addr
}

// wait measures how long slow pages take that one visitor asks for at once.
func (s *phpSide) wait() error {
	start := time.Now()
	err := s.slow.each(func(_ int, c *conn) error { return c.do() })
	s.waits = append(s.waits, float64(time.Since(start))/float64(time.Millisecond))
	return err
}

func (s *phpSide) close() {
	s.system.close()
	s.slow.close()
}
