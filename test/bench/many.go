package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
	"github.com/caddy-session/caddy-session/signer"
)

const (
	secret = "a secret of the benchmark's own"
	few    = 1000

	// sample is how many of the sessions are read.
	sample = 1000
)

// many measures reads from a bolt file with few and with many sessions, and the heap that the proxy
// needs meanwhile.
func (b *bench) many(out io.Writer) error {
	fmt.Fprintln(out, "| sessions | µs for a read, with the bare proxy's share | Go heap in use | goal |")
	fmt.Fprintln(out, "| --- | --- | --- | --- |")
	for _, count := range []int{few, *million} {
		proxy, cookies, err := b.startWith(count)
		if err != nil {
			return err
		}
		cost, heap, err := readAll(proxy, cookies)
		proxy.stop()
		if err != nil {
			return err
		}
		goal := "–"
		if count != few {
			goal = "twice the first, 64 MiB"
		}
		fmt.Fprintf(out, "| %d | %.1f | %.1f MiB | %s |\n", count, cost, heap/(1<<20), goal)
	}
	return nil
}

// startWith starts a proxy with a bolt file of many sessions, and returns the cookies of some.
func (b *bench) startWith(count int) (*process, []string, error) {
	dir, err := os.MkdirTemp(b.dir, "many")
	if err != nil {
		return nil, nil, err
	}
	cookies, err := fill(filepath.Join(dir, "sessions.db"), count)
	if err != nil {
		return nil, nil, fmt.Errorf("making %d sessions: %w", count, err)
	}
	proxy, err := b.startCaddyIn(dir, session("scope bench\nsecret \""+secret+"\"\nstore bolt $DIR/sessions.db"))
	return proxy, cookies, err
}

// fill makes sessions and returns the cookies of some.
func fill(path string, count int) ([]string, error) {
	store := bolt.Open(bolt.Options{Path: path})
	defer store.Close()
	manager := sessionstore.NewManager(store, sessionstore.Options{StoreTimeout: time.Minute})
	sgn, err := signer.New(signer.Options{Keys: [][]byte{[]byte(secret)}, Salt: "caddy-session"})
	if err != nil {
		return nil, err
	}
	edit, err := sessionstore.ParseEdit(data)
	if err != nil {
		return nil, err
	}
	const writers = 256
	var mu sync.Mutex
	var cookies []string
	var failed error
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < count; i += writers {
				s := sessionstore.Session{Scope: sessionstore.Scope{Site: "scope bench"}}
				out, err := manager.Commit(context.Background(), &s, &sessionstore.Change{Edits: []sessionstore.Edit{edit}})
				mu.Lock()
				switch {
				case err != nil:
					failed = err
				case len(cookies) < sample:
					cookies = append(cookies, sgn.Sign(out.ID))
				default:
					if at := rand.IntN(i + 1); at < sample {
						cookies[at] = sgn.Sign(out.ID)
					}
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return cookies, failed
}

// readAll reads the sessions again and again, and returns the processor time for each request in
// µs.
func readAll(proxy *process, cookies []string) (cost, heap float64, err error) {
	l, err := readers(proxy, cookies, 8)
	if err != nil {
		return 0, 0, err
	}
	defer l.close()
	var costs []float64
	for range *pairs * *rounds {
		cost, err := side{proxy, l}.cost()
		if err != nil {
			return 0, 0, err
		}
		costs = append(costs, cost)
	}
	heap, err = metric(proxy, "go_memstats_heap_inuse_bytes")
	return median(costs), heap, err
}

// readers opens connections that read sessions, and warms them up.
func readers(proxy *process, cookies []string, conns int) (*load, error) {
	l, err := dial(proxy.addr, "", anonymousPath, conns, 0)
	if err != nil {
		return nil, err
	}
	for i, c := range l.conns {
		c.cookies = nil
		for n := i; n < len(cookies); n += conns {
			c.cookies = append(c.cookies, "; caddy_session="+cookies[n])
		}
		c.prepare(proxy.addr, anonymousPath)
	}
	if err := l.run(*requests); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func metric(proxy *process, name string) (float64, error) {
	resp, err := http.Get("http://" + proxy.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the proxy has no metric %s", name)
}
