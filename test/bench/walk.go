package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// walkConns is how many requests are under way while somebody lists sessions.
	walkConns = 64

	// walkRest is how many times longer than a page took is the rest after it, as in Caddy's own
	// walks (see package admin).
	walkRest = 3
)

// walk measures the pages of the list of sessions in a bolt file with many of them under traffic,
// and what they cost the requests.
func (b *bench) walk(out io.Writer) error {
	proxy, cookies, err := b.startWith(*million)
	if err != nil {
		return err
	}
	defer proxy.stop()
	l, err := readers(proxy, cookies, walkConns)
	if err != nil {
		return err
	}
	defer l.close()
	fmt.Fprintln(out, "| sessions on a page | page, ms | worst, ms | goal | p99 of requests, ms | without pages, ms | ratio | goal |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, limit := range []int{100, 1000} {
		var with, without []float64 // p99
		var pages []time.Duration
		for range *pairs * *rounds {
			alone, err := timed(l, *requests)
			if err != nil {
				return err
			}
			stop := walking(proxy, limit)
			beside, err := timed(l, *requests)
			took, failed := stop()
			if err == nil {
				err = failed
			}
			if err != nil {
				return err
			}
			without, with, pages = append(without, p99(alone)), append(with, p99(beside)), append(pages, took...)
		}
		slices.Sort(pages)
		fmt.Fprintf(out, "| %d | %.1f | %.1f | < 100 | %.1f | %.1f | %.2f | ≤ 1.2 |\n", limit, ms(pages[len(pages)/2]), ms(pages[len(pages)-1]),
			median(with), median(without), median(with)/median(without))
	}
	fmt.Fprintf(out, "\n%d sessions, %d requests at once; the medians of %d rounds of %d requests.\n", *million, walkConns, *pairs**rounds, *requests)
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func p99(times []time.Duration) float64 {
	slices.Sort(times)
	return ms(times[len(times)*99/100])
}

// timed sends n requests, as many at once as there are connections, and returns how long each took.
func timed(l *load, n int) (times []time.Duration, err error) {
	var mu sync.Mutex
	err = l.each(func(_ int, c *conn) error {
		for range n / len(l.conns) {
			began := time.Now()
			if err := c.do(); err != nil {
				return err
			}
			mu.Lock()
			times = append(times, time.Since(began))
			mu.Unlock()
		}
		return nil
	})
	return times, err
}

// walking lists the sessions of a proxy page by page, until it is stopped, and says how long each
// page took.
func walking(proxy *process, limit int) (stop func() ([]time.Duration, error)) {
	done := make(chan struct{})
	var took []time.Duration
	var failed error
	var walk sync.WaitGroup
	walk.Go(func() {
		for after := ""; failed == nil; {
			began := time.Now()
			after, failed = readPage(proxy, limit, after)
			took = append(took, time.Since(began))
			select {
			case <-done:
				return
			case <-time.After(walkRest * took[len(took)-1]):
			}
		}
	})
	return func() ([]time.Duration, error) {
		close(done)
		walk.Wait()
		return took, failed
	}
}

// readPage reads a page, and returns where the next one begins.
func readPage(proxy *process, limit int, after string) (next string, err error) {
	resp, err := http.Get(fmt.Sprintf("http://%s/session/sessions?limit=%d&after=%s", proxy.admin, limit, url.QueryEscape(after)))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Sessions []json.RawMessage
		Next     string
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("a page of sessions: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Sessions) == 0 {
		return "", fmt.Errorf("a page of sessions is empty")
	}
	return answer.Next, nil
}
