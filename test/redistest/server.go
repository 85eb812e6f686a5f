// Package redistest starts real Redis servers for tests: a single server, a set with Sentinels, a
// cluster. They listen on free ports of 127.0.0.1, keep their files in temporary folders, and end
// with the test.
package redistest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/caddy-session/caddy-session/test/harness/process"
)

// Options configure the servers. The zero value is a server without a password, TLS and
// persistence.
type Options struct {
	// Password is the default user's password, or empty for none.
	Password string

	// ACL are more users, such as "alice on >secret ~session:* +@all".
	ACL []string

	// TLS makes the servers accept TLS only; ClientCert makes them require a client certificate.
	TLS, ClientCert bool

	// AOF makes the servers write every change to disk before they answer, so that a kill loses
	// nothing. Otherwise a restart loses all data.
	AOF bool

	// Config are more lines of redis.conf, such as "maxmemory 2mb". Sentinels do not get them.
	Config []string

	// SentinelPassword is the password for clients of Sentinels, or empty for none.
	SentinelPassword string

	// DownAfter is the time until Sentinels consider a silent server down. Default: 1 s.
	DownAfter time.Duration

	// NodeTimeout is the time until a cluster considers a silent node down. Default: 1.5 s.
	NodeTimeout time.Duration
}

// Server is one redis-server process. It is safe for concurrent use. Methods that return no error
// end the test if they fail.
type Server struct {
	// Port is the port on 127.0.0.1. It never changes.
	Port int

	// Dir is its folder.
	Dir string

	// TLS has the certificates, or is nil without TLS.
	TLS *TLS

	tb      testing.TB
	opts    Options
	kind    kind
	busPort int
	ports   []*port
	program string

	mu     sync.Mutex
	proc   *process.Process
	paused bool
	client *redis.Client
	own    map[string]bool // local addresses of the connections of Do
}

// Start runs one server until the test ends.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	s := newServer(tb, standalone, opts, newTLSFor(tb, opts))
	boot(tb, s)
	return s
}

// Addr returns the listen address (host:port).
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Do sends a command as the user with all permissions, and returns the reply as go-redis does for
// RESP2: string, int64, []any, or nil with [redis.Nil]. It does not retry.
func (s *Server) Do(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), doTimeout)
	defer cancel()
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	return client.Do(ctx, args...).Result()
}

// text is Do for commands with a string as reply.
func (s *Server) text(args ...any) (string, error) {
	reply, err := s.Do(args...)
	text, _ := reply.(string)
	return text, err
}

const doTimeout = 5 * time.Second

// newClient makes the client of Do. Each process gets a new one: after connections fail, go-redis
// fails at once for a second.
func (s *Server) newClient() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: s.Addr(), Username: adminUser, Password: adminPassword,
		Protocol: 2, PoolSize: 4, PipelinePoolSize: -1,
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := s.dial(ctx)
			if err == nil {
				s.mu.Lock()
				s.own[conn.LocalAddr().String()] = true
				s.mu.Unlock()
			}
			return conn, err
		},
	})
}

// isOwn reports whether an address belongs to a connection of Do.
func (s *Server) isOwn(addr string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own[addr]
}
