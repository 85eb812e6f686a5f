package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

const (
	// lateness is how long the replies of the late Redis take on their way.
	lateness = time.Millisecond

	lateConns = 8
)

// late prints what it adds to the time that a request takes when Redis answers late: against a
// Redis that answers at once, behind the same relay, so that nothing but the lateness is between
// them.
func (b *bench) late(out io.Writer) error {
	prompt, err := b.startRelay(0)
	if err != nil {
		return err
	}
	late, really, err := b.startLateRelay(prompt)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| request | late, ms | at once, ms | more, ms | goal |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- |")
	for _, row := range []struct {
		name, path string
		goal       float64
	}{{"read, one round trip", anonymousPath, 1.2}, {"change, two", changePath, 2.3}} {
		times, err := b.medianTimes([2]string{late.addr, prompt.addr}, row.path)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f | %.2f | ≤ %.1f |\n", row.name, times[0], times[1], times[0]-times[1], row.goal)
	}
	fmt.Fprintf(out, "\nThe median of requests over %d connections. PING was %.2f ms late.\n", lateConns, really)
	return nil
}

// startLateRelay starts a relay behind which PING is answered exactly as late as it is to be, and
// returns how late that is, in milliseconds. Waking up takes time too, so that a relay must wait
// for less.
func (b *bench) startLateRelay(prompt *process) (late *process, really float64, err error) {
	for wait, attempts := lateness, 3; ; attempts-- {
		if late, err = b.startRelay(wait); err != nil {
			return nil, 0, err
		}
		if really, err = lateOf([2]string{late.addr, prompt.addr}); err != nil || attempts == 0 {
			return late, really, err
		}
		tooLate := time.Duration(really*float64(time.Millisecond)) - lateness
		if tooLate.Abs() < lateness/100 {
			return late, really, nil
		}
		late.stop()
		wait -= tooLate
	}
}

// medianTimes is how long the median request takes with either Redis, in milliseconds.
func (b *bench) medianTimes(addrs [2]string, path string) (medians [2]float64, err error) {
	var sides [2]*load
	for i, addr := range addrs {
		proxy, err := b.startCaddy(session("store redis " + addr))
		if err != nil {
			return medians, err
		}
		defer proxy.stop()
		if sides[i], err = dial(proxy.addr, createPath, path, lateConns, lateConns); err != nil {
			return medians, err
		}
		defer sides[i].close()
		if err := sides[i].run(*requests); err != nil { // warm up
			return medians, err
		}
	}
	var times [2][]float64
	for range *pairs * *rounds {
		for i, side := range sides {
			some, err := side.times(*requests / 20)
			if err != nil {
				return medians, err
			}
			times[i] = append(times[i], some...)
		}
	}
	return [2]float64{median(times[0]), median(times[1])}, nil
}

// times has each connection send n requests at a visitor's pace, as what is measured is waiting and
// no queue for the processor. It returns how long each took, in milliseconds.
func (l *load) times(n int) ([]float64, error) {
	times := make([][]float64, len(l.conns))
	err := l.each(func(i int, c *conn) error {
		for range n {
			start := time.Now()
			if err := c.do(); err != nil {
				return err
			}
			times[i] = append(times[i], float64(time.Since(start))/float64(time.Millisecond))
			time.Sleep(2 * time.Millisecond)
		}
		return nil
	})
	return slices.Concat(times...), err
}

// lateOf is how much later PING is answered through the first relay than through the second, in
// milliseconds.
func lateOf(addrs [2]string) (float64, error) {
	var times [2][]float64
	for i, addr := range addrs {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		reply := make([]byte, len("+PONG\r\n"))
		for range 300 {
			start := time.Now()
			if _, err := c.Write([]byte("PING\r\n")); err != nil {
				return 0, err
			}
			if _, err := io.ReadFull(c, reply); err != nil {
				return 0, err
			}
			times[i] = append(times[i], float64(time.Since(start))/float64(time.Millisecond))
			time.Sleep(2 * time.Millisecond)
		}
	}
	return median(times[0]) - median(times[1]), nil
}
