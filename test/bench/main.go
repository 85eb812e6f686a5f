// Command bench measures what a session costs the proxy: the processor time of each
// request against the same Caddy with reverse_proxy alone, both in one run.
//
//	go run ./test/bench
//
// Seconds on a shared machine mean little, so that it prints ratios of processor time. Both
// Caddies run at once and are loaded in turn, round by round; the ratio is the median of the rounds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scenario is a row of the table.
type scenario struct {
	name     string
	handler  string // what stands before reverse_proxy
	first    string // the path that gives a visitor the cookie
	path     string
	conns    int
	visitors int // who share the connections and take turns
	goal     float64
}

// site is how many live sessions the store of a site in use holds. Those that lie in the proxy's own memory cost the garbage
// collector time, and save some, as it comes the more seldom the larger the heap is.
const site = 10_000

// lateOnly and manyOnly are the -only of the second and the third table.
const (
	lateOnly = "late"
	manyOnly = "sessions"
)

const (
	anonymousPath = "/"
	createPath    = "/?create"
	changePath    = "/?change"
	cookiePath    = "/?cookie" // the backend sets a cookie itself, as long as ours
)

var scenarios = []scenario{
	{"anonymous request, `bolt`", session("store bolt $DIR/sessions.db"), "", anonymousPath, 8, 0, 1.05},
	// The least that a read can cost: what Caddy asks for carrying headers like a session's.
	{"the same headers without a session", "bench_headers `" + data + "` " + otherCookie, cookiePath, anonymousPath, 8, 8, 0},
	{"read, `memory`, 10,000 visitors, 8 connections", session("store memory"), createPath, anonymousPath, 8, site, 1.10},
	{"read, `memory`, 10,000 visitors, 64 connections", session("store memory"), createPath, anonymousPath, 64, site, 1.10},
	{"read, `memory`, 8 connections", session("store memory"), createPath, anonymousPath, 8, 8, 1.10},
	{"read, `memory`, 64 connections", session("store memory"), createPath, anonymousPath, 64, 64, 1.10},
	{"read, `bolt`, 10,000 visitors, 8 connections", session("store bolt $DIR/sessions.db"), createPath, anonymousPath, 8, site, 1.10},
	{"read, `bolt`, 10,000 visitors, 64 connections", session("store bolt $DIR/sessions.db"), createPath, anonymousPath, 64, site, 1.10},
	{"read, `bolt`, 8 connections", session("store bolt $DIR/sessions.db"), createPath, anonymousPath, 8, 8, 1.10},
	{"read, `bolt`, 64 connections", session("store bolt $DIR/sessions.db"), createPath, anonymousPath, 64, 64, 1.10},
	{"change, `memory`, 64 connections", session("store memory"), createPath, changePath, 64, 64, 0},
	{"durable change, `bolt`, 64 connections", session("store bolt $DIR/sessions.db"), createPath, changePath, 64, 64, 1.70},
	{"read, `redis`, 8 connections", session("store redis $REDIS"), createPath, anonymousPath, 8, 8, 0},
	{"read, `redis`, 64 connections", session("store redis $REDIS"), createPath, anonymousPath, 64, 64, 1.20},
	{"read, `redis`, `pipelining off`, 64 connections", session("store redis $REDIS {\npipelining off\n}"), createPath, anonymousPath, 64, 64, 0},
	{"read, `redis`, `near_cache`, 8 connections", session("store redis $REDIS {\nnear_cache\n}"), createPath, anonymousPath, 8, 8, 1.12},
	{"read, `redis`, `near_cache`, 64 connections", session("store redis $REDIS {\nnear_cache\n}"), createPath, anonymousPath, 64, 64, 1.12},
	{"change, `redis`, 64 connections", session("store redis $REDIS"), createPath, changePath, 64, 64, 1.40},
}

func session(options string) string { return "session {\n" + options + "\n}" }

var (
	pairs    = flag.Int("pairs", 7, "how many pairs of proxies are started: no two processes lie alike in memory, so one pair alone says little")
	rounds   = flag.Int("rounds", 15, "how many times each side of a pair is measured")
	requests = flag.Int("requests", 1000, "how many requests a measurement takes")
	only     = flag.String("only", "", "measure only the scenarios whose name contains this, or with late or sessions only the second or third table")
	million  = flag.Int("sessions", 1000000, "how many live sessions the third table is about; 0 leaves it out")
	profile  = flag.String("profile", "", "write processor profiles of both proxies to files with this name and .with or .without (use with -only)")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	if len(os.Args) > 1 && os.Args[1] == backendCommand {
		log.Fatal(http.ListenAndServe(os.Args[2], http.HandlerFunc(backend)))
	}
	if len(os.Args) > 4 && os.Args[1] == relayCommand {
		log.Fatal(relay(os.Args[2], os.Args[3], os.Args[4]))
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "session-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, binary: filepath.Join(dir, "caddy")}
	defer b.stop()
	build := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", b.binary, "github.com/caddy-session/caddy-session/test/harness/cmd/caddy")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building caddy: %w\n%s", err, out)
	}
	if err := b.startBackend(); err != nil {
		return err
	}

	if err := b.startRedis(); err != nil {
		return err
	}
	fmt.Printf("Processor time of the proxy for each request, against `reverse_proxy` alone (median of %d rounds of %d requests, the middle half in brackets):\n\n", *pairs**rounds, *requests)
	fmt.Println("| request | µs | without | ratio | goal |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, s := range scenarios {
		if !strings.Contains(s.name, *only) {
			continue
		}
		if err := b.compare(s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if *only == "" || *only == lateOnly {
		if err := b.late(); err != nil {
			return err
		}
	}
	if *million == 0 || *only != "" && *only != manyOnly {
		return nil
	}
	return b.many(*million)
}

// compare measures a scenario in turn with and without its handler, with one pair of proxies after another.
func (b *bench) compare(s scenario) error {
	var m measured
	for range *pairs {
		if err := b.pair(s, &m); err != nil {
			return err
		}
	}
	goal := "–"
	if s.goal > 0 {
		goal = fmt.Sprintf("≤ %.2f", s.goal)
	}
	fmt.Printf("| %s | %.1f | %.1f | %.2f [%.2f, %.2f] | %s |\n", s.name, median(m.costs[0]), median(m.costs[1]),
		median(m.ratios), quantile(m.ratios, 1, 4), quantile(m.ratios, 3, 4), goal)
	return nil
}

// measured are the rounds of a scenario: what a request costs on either side, in µs, and the ratio of the two.
type measured struct {
	costs  [2][]float64
	ratios []float64
}

// pair starts a proxy with the scenario's handler and one without, and measures both.
func (b *bench) pair(s scenario, m *measured) error {
	with, err := b.startCaddy(s.handler)
	if err != nil {
		return err
	}
	defer with.stop()
	without, err := b.startCaddy("")
	if err != nil {
		return err
	}
	defer without.stop()

	// Both are sent the same requests: with the cookie of a session, if there is one.
	var sides [2]*load
	if sides[0], err = dial(with.addr, s.first, s.path, s.conns, s.visitors); err != nil {
		return err
	}
	defer sides[0].close()
	if sides[1], err = sides[0].copyTo(without.addr); err != nil {
		return err
	}
	defer sides[1].close()
	for _, side := range sides {
		if err := side.run(4 * *requests); err != nil { // warm up
			return err
		}
	}
	stopWith, stopWithout := profileOf(with, "with"), profileOf(without, "without")
	for range *rounds {
		var cost [2]float64
		for i, c := range []*process{with, without} {
			before, err := cpuTime(c.pid())
			if err != nil {
				return err
			}
			if err := sides[i].run(*requests); err != nil {
				return err
			}
			after, err := cpuTime(c.pid())
			if err != nil {
				return err
			}
			cost[i] = float64(after-before) / float64(*requests) / float64(time.Microsecond)
			m.costs[i] = append(m.costs[i], cost[i])
		}
		m.ratios = append(m.ratios, cost[0]/cost[1])
	}
	if err := errors.Join(stopWith(), stopWithout()); err != nil || s.first != createPath {
		return err
	}
	return foundAll(with, (4+*rounds)**requests)
}

// foundAll makes sure that what was measured were requests with sessions.
func foundAll(proxy *process, requests int) error {
	hits, err := metric(proxy, `caddy_session_requests_total{outcome="hit"}`)
	if err == nil && hits != float64(requests) {
		err = fmt.Errorf("of %d requests with a session's cookie, %.0f found their session", requests, hits)
	}
	return err
}

func median(values []float64) float64 { return quantile(values, 1, 2) }

func quantile(values []float64, part, of int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*part/of]
}
