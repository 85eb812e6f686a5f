package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// lateness is how long the replies of the late Redis take on their way.
	lateness = time.Millisecond

	lateConns = 8
)

// late prints what a Redis that answers late adds to the time that a request takes.
func (b *bench) late() error {
	slow, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer slow.Close()
	go b.delay(slow)
	addr := slow.Addr().String()
	trip, err := pingTime(addr)
	if err != nil {
		return err
	}
	fmt.Printf("\nWith a Redis that answers %s late (a round trip takes %.2f ms), the median time of a request over %d connections:\n\n",
		lateness, milliseconds(trip), lateConns)
	fmt.Println("| request | ms | without | more | goal |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, row := range []struct {
		name, path string
		goal       float64
	}{{"read", anonymousPath, 1.2}, {"change", changePath, 2.3}} {
		with, err := b.medianTime(session("store redis "+addr), createPath, row.path)
		if err != nil {
			return err
		}
		without, err := b.medianTime("", "", row.path)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.2f | %.2f | %.2f | ≤ %.1f |\n", row.name, milliseconds(with), milliseconds(without), milliseconds(with-without), row.goal)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// medianTime is how long the median request takes.
func (b *bench) medianTime(handler, first, path string) (time.Duration, error) {
	proxy, err := b.startCaddy(handler)
	if err != nil {
		return 0, err
	}
	defer proxy.stop()
	l, err := dial(proxy.addr, first, path, lateConns)
	if err != nil {
		return 0, err
	}
	defer l.close()
	if err := l.run(*requests); err != nil { // warm up
		return 0, err
	}
	times := make([][]float64, lateConns)
	errs := make([]error, lateConns)
	var wg sync.WaitGroup
	for i, c := range l.conns {
		wg.Go(func() {
			for range *requests / 2 {
				start := time.Now()
				if errs[i] = c.do(); errs[i] != nil {
					return
				}
				times[i] = append(times[i], float64(time.Since(start)))
				time.Sleep(2 * time.Millisecond) // a visitor's pace: what is measured is waiting, and no queue for the processor
			}
		})
	}
	wg.Wait()
	var all []float64
	for _, t := range times {
		all = append(all, t...)
	}
	return time.Duration(median(all)), errors.Join(errs...)
}

// delay passes connections on to Redis, and its replies back late.
func (b *bench) delay(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", b.redis)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		go func() {
			_ = delayed(client, server)
			_ = client.Close()
		}()
	}
}

// delayed copies what comes, each piece as long after it came as the one before.
func delayed(to io.Writer, from io.Reader) error {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				pieces <- piece{buf[:n], time.Now().Add(lateness)}
			}
			if err != nil {
				return
			}
		}
	}()
	var err error
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if err == nil {
			_, err = to.Write(p.bytes)
		}
	}
	return err
}

// pingTime is how long a round trip to a Redis takes.
func pingTime(addr string) (time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var times []float64
	reply := make([]byte, len("+PONG\r\n"))
	for range 200 {
		start := time.Now()
		if _, err := c.Write([]byte("PING\r\n")); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(c, reply); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(start)))
	}
	return time.Duration(median(times)), nil
}
