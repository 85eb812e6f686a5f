package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// app starts a page of a framework, and returns how a Caddy finds it and the process behind it.
type app func(t testing.TB, redis *redistest.Server) (route string, pid int)

// frameworkSessions are the sessions of a framework's page: its own first, then the proxy's.
type frameworkSessions struct {
	name    string
	handler string // what stands before the app; "" where its sessions are its own
	redis   bool   // whether they are in Redis
	app     app
}

var systemRows = [][]frameworkSessions{
	{
		{"PHP: its files", "", false, phpPage("php")},
		{"PHP: `bolt`", inBolt, false, phpPage("php/headers")},
	},
	{
		{"Flask: Flask-Session, in Redis", "", true, flaskPage(true)},
		{"Flask: `redis`", inRedis, true, flaskPage(false)},
		{"Flask: `bolt`", inBolt, false, flaskPage(false)},
	},
	{
		{"Express: express-session, in its memory", "", false, expressPage(true)},
		{"Express: `memory`", inMemory, false, expressPage(false)},
		{"Express: `bolt`", inBolt, false, expressPage(false)},
	},
}

// systems prints what a page costs with its framework's own sessions and with the proxy's: the
// processor time of all processes together.
func (b *bench) systems(out io.Writer) error {
	redis, err := b.startRedis()
	if err != nil {
		return err
	}
	all := make([][]*system, len(systemRows))
	for i, rows := range systemRows {
		for _, row := range rows {
			s, err := b.startFramework(row, redis)
			if err != nil {
				return fmt.Errorf("%s: %w", row.name, err)
			}
			defer s.close()
			all[i] = append(all[i], s)
		}
	}
	for range *pairs * *rounds {
		for i, rows := range systemRows {
			for j, row := range rows {
				if err := all[i][j].measure(); err != nil {
					return fmt.Errorf("%s: %w", row.name, err)
				}
			}
		}
	}
	fmt.Fprintln(out, "| page and its sessions | read, µs | ratio | change, µs | ratio |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- |")
	for i, rows := range systemRows {
		for j, row := range rows {
			fmt.Fprintf(out, "| %s | %s |\n", row.name, all[i][j].row(all[i][0]))
		}
	}
	fmt.Fprintf(out, "\nMeasured in %d rounds of %d requests.\n", *pairs**rounds, *requests)
	return nil
}

func (b *bench) startFramework(row frameworkSessions, redis *redistest.Server) (*system, error) {
	var pids []int
	if row.redis {
		pids = append(pids, redis.Pid())
	}
	route, err := b.tb.start(func(t testing.TB) string {
		route, pid := row.app(t, redis)
		pids = append(pids, pid)
		return route
	})
	if err != nil {
		return nil, err
	}
	return b.startSystem(row.handler, route, pids...)
}

func pages(folder string) string {
	return filepath.Join(harness.Root(), "test", "bench", filepath.FromSlash(folder))
}

func phpPage(folder string) app {
	return func(t testing.TB, _ *redistest.Server) (string, int) {
		fpm := harness.StartFPM(t)
		return phpRoute(folder, fpm), fpm.Pid
	}
}

func flaskPage(own bool) app {
	return func(t testing.TB, redis *redistest.Server) (string, int) {
		addr := harness.FreeAddr(t)
		cmd := exec.Command(harness.FlaskSession(t, "0.8.0"), "-m", "gunicorn", "--bind", addr, "--workers", "2", "--threads", "4", "flask_page:app")
		cmd.Dir = pages("apps")
		if own {
			cmd.Env = append(os.Environ(), "REDIS="+redis.Addr())
		}
		harness.Serve(t, "gunicorn", addr, cmd)
		return "reverse_proxy " + addr, cmd.Process.Pid
	}
}

func expressPage(own bool) app {
	return func(t testing.TB, _ *redistest.Server) (string, int) {
		addr := harness.FreeAddr(t)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(harness.Node(t), filepath.Join(pages("apps"), "express_page.js"))
		cmd.Env = append(os.Environ(), "NODE_ENV=production", "PORT="+port)
		if own {
			cmd.Env = append(cmd.Env, "OWN=1")
		}
		harness.Serve(t, "node", addr, cmd)
		return "reverse_proxy " + addr, cmd.Process.Pid
	}
}
