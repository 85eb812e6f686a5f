package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// relayCommand makes this program a relay to Redis, in a process of its own, so that the threads
// that wait are in nobody's way.
const relayCommand = "relay"

func (b *bench) startRelay(wait time.Duration) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	redis, err := b.server("$REDIS")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return b.start(exec.Command(self, relayCommand, addr, redis, wait.String()), addr)
}

// relay passes connections on to Redis, and its replies back after a wait.
func relay(addr, redis, wait string) error {
	delay, err := time.ParseDuration(wait)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(64) // a thread that waits takes up one
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		server, err := net.Dial("tcp", redis)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		go func() {
			_ = delayed(client, server, delay)
			_ = client.Close()
		}()
	}
}

// delayed copies what comes, each piece as long after it came as the one before.
func delayed(to io.Writer, from io.Reader, delay time.Duration) error {
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
				pieces <- piece{buf[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sleep := sleeper()
	var err error
	for p := range pieces {
		sleep(time.Until(p.due))
		if err == nil {
			_, err = to.Write(p.bytes)
		}
	}
	return err
}
