package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// side is one proxy of a pair and what it is loaded with.
type side struct {
	proxy *process
	load  *load
}

// cost is what a request costs now, in µs.
func (s side) cost() (float64, error) {
	before, err := cpuTime(s.proxy.pid())
	if err != nil {
		return 0, err
	}
	if err := s.load.run(*requests); err != nil {
		return 0, err
	}
	after, err := cpuTime(s.proxy.pid())
	return float64(after-before) / float64(*requests) / float64(time.Microsecond), err
}

// heap is what the collector of a proxy tells.
type heap struct{ Collections, Bytes, Allocations float64 }

// uncollected is what a request costs and allocates while the collector is off. Garbage is
// collected before, and it is an error if that is done once more meanwhile.
func (s side) uncollected() (cost float64, h heap, err error) {
	before, err := s.proxy.collector(http.MethodPost)
	if err != nil {
		return 0, h, err
	}
	if cost, err = s.cost(); err != nil {
		return 0, h, err
	}
	after, err := s.proxy.collector(http.MethodGet)
	if err == nil && after.Collections != before.Collections {
		err = fmt.Errorf("%d requests reached the memory limit of %s, and garbage was collected: take fewer -requests", *requests, memoryLimit)
	}
	return cost, heap{Bytes: after.Bytes - before.Bytes, Allocations: after.Allocations - before.Allocations}, err
}

// collector asks a proxy what it has allocated; POST turns its collector off.
func (p *process) collector(method string) (h heap, err error) {
	req, err := http.NewRequest(method, "http://"+p.admin+"/bench/collector", nil)
	if err != nil {
		return h, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	return h, json.NewDecoder(resp.Body).Decode(&h)
}

// check makes sure that the requests that were measured met what they were to.
func check(proxy *process, t traffic, requests int) error {
	if t.outcome != "" {
		if err := proxy.counted(requests, "requests", t.outcome); err != nil {
			return err
		}
	}
	if t.saves {
		return proxy.counted(requests, "commits", "saved", "conflict_retried")
	}
	return nil
}

// counted makes sure that a metric counts so many requests under these outcomes.
func (p *process) counted(requests int, of string, outcomes ...string) error {
	sum := 0.0
	for _, outcome := range outcomes {
		n, err := metric(p, fmt.Sprintf("caddy_session_%s_total{outcome=%q}", of, outcome))
		if err != nil {
			return err
		}
		sum += n
	}
	if sum < float64(requests) {
		return fmt.Errorf("of %d requests, %.0f count as %s", requests, sum, strings.Join(outcomes, " or "))
	}
	return nil
}
