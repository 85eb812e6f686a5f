// Command bench measures what a session costs the proxy: the processor time of each request against
// the same Caddy with reverse_proxy alone, both in one run, with Go's garbage collector and
// without.
//
//	go run ./test/bench -write docs/costs.md
//
// Seconds on a shared machine mean little, so it compares. Both Caddies run at once and are loaded
// in turn, round by round.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

var (
	pairs    = flag.Int("pairs", 3, "how many pairs of proxies are started for a row: no two processes lie alike in memory, so one pair alone says little")
	rounds   = flag.Int("rounds", 7, "how many times each side of a pair is measured, with the collector and without")
	requests = flag.Int("requests", 500, "how many requests a measurement takes")
	only     = flag.String("only", "", "measure only this table (requests, stores, frameworks, systems, php, late, sessions, walk), or the rows whose name contains this")
	million  = flag.Int("sessions", 1000000, "how many live sessions the tables sessions and walk are about")
	profile  = flag.String("profile", "", "write processor profiles of both proxies to files with this name and .with or .without (use with -only and -pairs 1)")
	write    = flag.String("write", "", "a Markdown file to write the tables to, each between its two markers")
)

// table is one of the tables that bench makes. Those that compare proxies have rows, others measure
// in a way of their own.
type table struct {
	name    string
	rows    []row
	measure func(b *bench, out io.Writer) error
}

var tables = []table{
	{name: "requests", rows: requestRows},
	{name: "stores", rows: storeRows},
	{name: "frameworks", rows: frameworkRows},
	{name: "systems", measure: (*bench).systems},
	{name: "php", measure: (*bench).php},
	{name: "late", measure: (*bench).late},
	{name: "sessions", measure: (*bench).many},
	{name: "walk", measure: (*bench).walk},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) > 2 && os.Args[1] == backendCommand {
		log.Fatal(serveBackend(os.Args[2]))
	}
	if len(os.Args) > 4 && os.Args[1] == relayCommand {
		log.Fatal(relay(os.Args[2], os.Args[3], os.Args[4]))
	}
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	chosen, err := choose(*only, *write != "")
	if err != nil {
		return err
	}
	for _, t := range chosen {
		if *write != "" {
			if err := replaceTable(*write, t.name, nil); err != nil {
				return err
			}
		}
	}
	b, err := newBench()
	if err != nil {
		return err
	}
	defer b.stop()
	var failed []error // a table that cannot be made leaves the others
	for _, t := range chosen {
		var text bytes.Buffer
		err := b.measure(t, io.MultiWriter(os.Stdout, &text))
		if err == nil && *write != "" {
			err = replaceTable(*write, t.name, text.Bytes())
		}
		failed = append(failed, err)
		fmt.Println()
	}
	return errors.Join(failed...)
}

// choose returns the tables, or those of their rows, that only names. Tables must be whole to be
// written.
func choose(only string, whole bool) (chosen []table, err error) {
	for _, t := range tables {
		if only == "" || only == t.name {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) > 0 {
		return chosen, nil
	}
	if whole {
		return nil, fmt.Errorf("-write takes whole tables, and %q is the name of none", only)
	}
	for _, t := range tables {
		all := t.rows
		t.rows = nil
		for _, r := range all {
			if strings.Contains(r.name, only) {
				t.rows = append(t.rows, r)
			}
		}
		if len(t.rows) > 0 {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("neither a table nor a row is called %q", only)
	}
	return chosen, nil
}

// newBench builds Caddy and starts the backend.
func newBench() (*bench, error) {
	dir, err := os.MkdirTemp("", "session-bench")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, binary: filepath.Join(dir, "caddy"), tb: &tb{dir: dir}, addrs: make(map[string]string)}
	build := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", b.binary, "github.com/caddy-session/caddy-session/test/bench/caddy")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building caddy: %w\n%s", err, out)
	} else {
		err = b.startBackend()
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bench) measure(t table, out io.Writer) error {
	fmt.Fprintf(out, "`go run ./test/bench -only %s`, %s, %d processors:\n\n", t.name, runtime.Version(), runtime.NumCPU())
	if t.measure != nil {
		return t.measure(b, out)
	}
	fmt.Fprintln(out, "| request | µs | bare, µs | ratio | no collector, µs | bare, µs | ratio | goal | bytes | allocations |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	var missing []string
	for _, r := range t.rows {
		switch err := b.compare(r, out); {
		case errors.Is(err, errMissing):
			missing = append(missing, r.name)
			log.Printf("%s is left out: %v", r.name, err)
		case err != nil:
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	fmt.Fprintf(out, "\nMeasured in %d rounds of %d requests, with %d pairs of proxies.\n", *pairs**rounds, *requests, *pairs)
	if len(missing) > 0 {
		fmt.Fprintf(out, "Left out, since the server is not installed: %s.\n", strings.Join(missing, "; "))
	}
	return nil
}
