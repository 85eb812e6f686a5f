package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// must returns a reply as text.
func must(t *testing.T, s *Server, args ...any) string {
	t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(reply)
}

// client returns a client that does not retry.
func client(t *testing.T, opts redis.Options) *redis.Client {
	opts.MaxRetries = -1
	c := redis.NewClient(&opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStart(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := Start(t, Options{Config: []string{"maxmemory 10mb"}})
	t.Logf("started in %v", time.Since(begin))
	if got := must(t, s, "CONFIG", "GET", "maxmemory"); got != "[maxmemory 10485760]" {
		t.Error(got)
	}
	must(t, s, "SET", "k", "v")
	if err := client(t, redis.Options{Addr: s.Addr()}).Get(t.Context(), "k").Err(); err != nil {
		t.Error(err)
	}
	pid := s.Pid()
	s.Kill()
	if _, err := s.Do("PING"); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if s.Pid() == pid {
		t.Error("the process id has not changed")
	}
	if _, err := s.Do("GET", "k"); !errors.Is(err, redis.Nil) {
		t.Errorf("data survived a kill without AOF: %v", err)
	}
	if !strings.Contains(s.Log(), "Ready to accept connections") {
		t.Errorf("log: %s", s.Log())
	}
}

func TestAOFSurvivesKill(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{AOF: true})
	for range 3 {
		must(t, s, "INCR", "n")
		s.Kill()
		s.Restart()
	}
	if got := must(t, s, "GET", "n"); got != "3" {
		t.Error(got)
	}
}

func TestPausedServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	c := client(t, redis.Options{Addr: s.Addr(), ContextTimeoutEnabled: true})
	for range 20 {
		if err := c.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		s.Pause()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		var timeout net.Error
		if err := c.Ping(ctx).Err(); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatalf("a paused server: %v", err)
		}
		cancel()
		if s.Live() {
			t.Error("Live reports true")
		}
		s.Resume()
	}
	s.Pause()
	s.Restart()
	must(t, s, "PING")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Password: `top "secret"`, ACL: []string{"alice on >wonder ~session:* +get +ping"}})
	must(t, s, "SET", "session:1", "v")
	ctx := t.Context()
	if err := client(t, redis.Options{Addr: s.Addr()}).Ping(ctx).Err(); err == nil {
		t.Error("no password was required")
	}
	if err := client(t, redis.Options{Addr: s.Addr(), Password: `top "secret"`}).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	alice := client(t, redis.Options{Addr: s.Addr(), Username: "alice", Password: "wonder"})
	if got, err := alice.Get(ctx, "session:1").Result(); got != "v" {
		t.Error(got, err)
	}
	for _, refused := range []redis.Cmder{alice.Get(ctx, "other"), alice.Set(ctx, "session:1", "w", 0)} {
		if err := refused.Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%v: %v", refused, err)
		}
	}
}

func TestDoWithDefaultUserOff(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{ACL: []string{"default off"}})
	must(t, s, "SET", "k", "v")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{TLS: true})
	noCertificate := s.TLS.Config()
	noCertificate.Certificates = nil
	if err := ping(t, s, noCertificate); err != nil {
		t.Error(err)
	}
	if err := ping(t, s, NewTLS(t).Config()); err == nil {
		t.Error("the client accepts another authority's certificate")
	}
	if err := ping(t, s, nil); err == nil {
		t.Error("the server answers without TLS")
	}
}

func TestTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{ClientCert: true})
	must(t, s, "SET", "k", "v")
	if err := ping(t, s, s.TLS.Config()); err != nil {
		t.Error(err)
	}
	noCertificate := s.TLS.Config()
	noCertificate.Certificates = nil
	if err := ping(t, s, noCertificate); err == nil {
		t.Error("a client without a certificate is served")
	}
	stranger := s.TLS.Config()
	stranger.Certificates = NewTLS(t).Config().Certificates
	if err := ping(t, s, stranger); err == nil {
		t.Error("a client with a certificate of another authority is served")
	}
}

func ping(t *testing.T, s *Server, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return client(t, redis.Options{Addr: s.Addr(), TLSConfig: config, DialerRetries: 1, ContextTimeoutEnabled: true}).Ping(ctx).Err()
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	c := client(t, redis.Options{Addr: s.Addr(), Protocol: 2, DisableIdentity: true})
	ctx := t.Context()
	seen := s.Monitor()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	seen()
	for i := range 200 {
		c.Set(ctx, "k", strconv.Itoa(i)+"\x00\xff\n\"] é", 0)
		must(t, s, "GET", "k")
		got := seen()
		if len(got) != 1 || got[0].Name() != "SET" || got[0].Args[2] != strconv.Itoa(i)+"\x00\xff\n\"] é" {
			t.Fatalf("%d: %v", i, got)
		}
	}
	c.Eval(ctx, "redis.call('SET', KEYS[1], 'v') return redis.call('GET', KEYS[1])", []string{"k"})
	if got := seen(); len(got) != 1 || got[0].Name() != "EVAL" {
		t.Error(got)
	}
	if got := seen(); len(got) != 0 {
		t.Error(got)
	}
	c.Get(ctx, "k")
	s.Kill()
	if got := seen(); len(got) != 1 || got[0].String() != `GET ["k"]` {
		t.Error(got)
	}
}

func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	taken := make(map[int]bool)
	for range 300 {
		p, err := reservePort()
		if err != nil {
			t.Fatal(err)
		}
		defer p.release()
		if taken[p.number] {
			t.Fatalf("port %d was given out twice", p.number)
		}
		taken[p.number] = true
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	s := newServer(t, standalone, Options{}, nil)
	if err := s.reservePorts(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.writeConfig(); err != nil {
		t.Fatal(err)
	}
	if err := s.launch(); err == nil || !strings.Contains(s.Log(), "Address already in use") {
		t.Fatalf("%v\n%s", err, s.Log())
	}
	s.releasePorts()
	boot(t, s)
	must(t, s, "PING")
}
