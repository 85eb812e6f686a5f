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
	"time"
)

// backendCommand makes this program the backend, in a process of its own.
const backendCommand = "backend"

// data is what a session of 500 bytes holds.
var data = `{"user":{"id":4711,"name":"Zo\u00eb Example","roles":["editor","admin"]},"cart":[{"sku":"A-100","n":2},{"sku":"B-7","n":1}],"csrf":"` +
	strings.Repeat("0123456789abcdef", 4) + `","visits":1,"notes":"` + strings.Repeat("lorem ipsum ", 22) + `"}`

const page = "<!doctype html><title>bench</title><p>" + "It was a bright cold day in April, and the clocks were striking thirteen. "

// backend answers the same to both Caddies; the one without sessions passes the headers on.
func backend(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	switch "/?" + r.URL.RawQuery {
	case createPath:
		h.Set("X-Session-Update", data)
	case changePath:
		h.Set("X-Session-Update", `[{"op":"increment","path":"/visits","value":1}]`)
	case cookiePath:
		h.Set("Set-Cookie", "caddy_session="+strings.Repeat("i", 43)+"."+strings.Repeat("s", 43)+"; Path=/")
	}
	_, _ = io.WriteString(w, page)
}

type bench struct {
	dir     string
	binary  string
	backend *process
	redis   string
	started []*process
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

// startRedis runs a Redis that writes nothing to disk: what is measured is the proxy.
func (b *bench) startRedis() error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(addr)
	b.redis = addr
	_, err = b.start(exec.Command("redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", b.dir, "--loglevel", "warning"), addr)
	return err
}

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
	handler = strings.NewReplacer("$DIR", dir, "$REDIS", b.redis).Replace(handler)
	config := fmt.Sprintf("{\nadmin %s\nauto_https off\n}\nhttp://%s {\n%s\nreverse_proxy %s\n}\n", admin, addr, handler, b.backend.addr)
	path := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.binary, "run", "--config", path, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
