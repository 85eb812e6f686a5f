package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

type bench struct {
	dir     string
	binary  string
	backend *process
	started []*process

	// tb is what the servers are started with, and addrs where they are.
	tb    *tb
	addrs map[string]string
}

type process struct {
	cmd   *exec.Cmd
	addr  string
	admin string
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func (b *bench) stop() {
	for _, p := range b.started {
		p.stop()
	}
	b.tb.end()
	_ = os.RemoveAll(b.dir)
}

func (b *bench) startBackend() (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	b.backend, err = b.start(exec.Command(self, backendCommand, addr), addr)
	return err
}

// server returns where the server of a placeholder is. It is started when it is first asked for.
func (b *bench) server(name string) (addr string, err error) {
	if addr = b.addrs[name]; addr == "" {
		addr, err = b.tb.start(servers[name])
		b.addrs[name] = addr
	}
	return addr, err
}

// memoryLimit is that of each proxy. It is far above what one needs for a round without collector.
const memoryLimit = "2GiB"

// startCaddy runs a Caddy with a handler before reverse_proxy, or without if that is empty.
func (b *bench) startCaddy(handler string) (*process, error) {
	dir, err := os.MkdirTemp(b.dir, "caddy")
	if err != nil {
		return nil, err
	}
	return b.startCaddyIn(dir, handler)
}

func (b *bench) startCaddyIn(dir, handler string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	handler = strings.ReplaceAll(handler, "$DIR", dir)
	for name := range servers {
		if strings.Contains(handler, name) {
			server, err := b.server(name)
			if err != nil {
				return nil, err
			}
			handler = strings.ReplaceAll(handler, name, server)
		}
	}
	config := fmt.Sprintf("{\nadmin %s\nauto_https off\n}\nhttp://%s {\n%s\nreverse_proxy %s\n}\n", admin, addr, handler, b.backend.addr)
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.binary, "run", "--config", path, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "GOMEMLIMIT="+memoryLimit)
	p, err := b.start(cmd, addr)
	if p != nil {
		p.admin = admin
	}
	return p, err
}

func (b *bench) start(cmd *exec.Cmd, addr string) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addr: addr}
	b.started = append(b.started, p)
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return p, c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s does not listen on %s", cmd.Path, addr)
}

// profileOf begins to write a processor profile of a proxy; stop waits for its end.
func profileOf(p *process, side string) (stop func() error) {
	if *profile == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + p.admin + "/debug/pprof/profile?seconds=15")
		if err != nil {
			done <- err
			return
		}
		defer resp.Body.Close()
		out, err := os.Create(*profile + "." + side)
		if err == nil {
			_, err = io.Copy(out, resp.Body)
			_ = out.Close()
		}
		done <- err
	}()
	return func() error { return <-done }
}

func freeAddr() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		_ = l.Close()
		if _, before := given.LoadOrStore(addr, true); !before {
			return addr, nil
		}
	}
}

// given are the addresses that freeAddr has returned. The next free port may be the same one, until
// somebody listens there.
var given sync.Map
