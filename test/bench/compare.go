package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Every pair of proxies is measured in two ways.
const (
	collected   = iota // with Go's garbage collector
	uncollected        // without
	ways
)

// measured are the rounds of a row.
type measured struct {
	// costs are what a request costs with the row's handler and without, in µs, and ratios those of
	// the two.
	costs  [ways][2][]float64
	ratios [ways][]float64

	// bytes and allocations are what a request takes more with the handler than without.
	bytes, allocations []float64
}

// compare measures a row with one pair of proxies after another.
func (b *bench) compare(r row, out io.Writer) error {
	var m measured
	for range *pairs {
		if err := b.pair(r, &m); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "| %s |", r.name)
	for way := range ways {
		fmt.Fprintf(out, " %.1f | %.1f | %.2f [%.2f, %.2f] |", middle(m.costs[way][0]), middle(m.costs[way][1]),
			middle(m.ratios[way]), quantile(m.ratios[way], 1, 4), quantile(m.ratios[way], 3, 4))
	}
	goal := "–"
	if r.goal > 0 {
		goal = fmt.Sprintf("≤ %.2f", r.goal)
	}
	fmt.Fprintf(out, " %s | %.0f | %.1f |\n", goal, middle(m.bytes), middle(m.allocations))
	return nil
}

// pair starts a proxy with the row's handler and one without, and measures both.
func (b *bench) pair(r row, m *measured) error {
	with, err := b.startCaddy(r.handler)
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
	var loads [2]*load
	if loads[0], err = dial(with.addr, r.traffic.first, r.traffic.path, r.conns, max(r.visitors, r.conns)); err != nil {
		return err
	}
	defer loads[0].close()
	if loads[1], err = loads[0].copyTo(without.addr); err != nil {
		return err
	}
	defer loads[1].close()
	sides := [2]side{{with, loads[0]}, {without, loads[1]}}
	for _, s := range sides {
		if err := s.load.run(max(4**requests, r.visitors)); err != nil { // warm up: everybody was here once
			return err
		}
	}
	stopWith, stopWithout := profileOf(with, "with"), profileOf(without, "without")
	if err := errors.Join(measure(sides, m), stopWith(), stopWithout()); err != nil {
		return err
	}
	return check(with, r.traffic, loads[0].count())
}

// measure measures both sides in turn: first with the collector, then without.
func measure(sides [2]side, m *measured) error {
	for range *rounds {
		var costs [2]float64
		for i, s := range sides {
			var err error
			if costs[i], err = s.cost(); err != nil {
				return err
			}
		}
		m.add(collected, costs)
	}
	for _, s := range sides {
		// Later rounds use the memory of this one again, so that none pays for getting it from the
		// kernel.
		if _, err := s.proxy.collector(http.MethodPost); err != nil {
			return err
		}
		if err := s.load.run(*requests); err != nil {
			return err
		}
	}
	for range *rounds {
		var costs [2]float64
		var heaps [2]heap
		for i, s := range sides {
			var err error
			if costs[i], heaps[i], err = s.uncollected(); err != nil {
				return err
			}
		}
		m.add(uncollected, costs)
		m.bytes = append(m.bytes, (heaps[0].Bytes-heaps[1].Bytes)/float64(*requests))
		m.allocations = append(m.allocations, (heaps[0].Allocations-heaps[1].Allocations)/float64(*requests))
	}
	return nil
}

func (m *measured) add(way int, costs [2]float64) {
	for i, cost := range costs {
		m.costs[way][i] = append(m.costs[way][i], cost)
	}
	m.ratios[way] = append(m.ratios[way], costs[0]/costs[1])
}

// middle is the mean of the middle half.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	sorted = sorted[len(sorted)/4 : len(sorted)-len(sorted)/4]
	sum := 0.0
	for _, v := range sorted {
		sum += v
	}
	return sum / float64(len(sorted))
}

func median(values []float64) float64 { return quantile(values, 1, 2) }

func quantile(values []float64, part, of int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*part/of]
}
