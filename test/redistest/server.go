// Package redistest starts real Redis servers for tests: a single one, a set that Sentinels watch over, a cluster. They
// listen on free ports of 127.0.0.1, keep their files in temporary folders, and end with the test.
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
)

// Options say what the servers are like. The zero value is a server that anybody may use, without TLS and persistence.
type Options struct {
	// Password is what the default user must give; empty for none.
	Password string

	// ACL are further users, as in "alice on >secret ~session:* +@all".
	ACL []string

	// TLS makes the servers speak nothing but TLS, ClientCert makes them demand a certificate of clients too.
	TLS, ClientCert bool

	// AOF makes the servers write all changes to disk before they answer, so that a kill loses nothing. Without it they
	// forget everything.
	AOF bool

	// Config are further lines of redis.conf, as in "maxmemory 2mb". Sentinels do not get them.
	Config []string

	// SentinelPassword is what clients of Sentinels must give; empty for none.
	SentinelPassword string

	// DownAfter is how long a silent server is waited for by Sentinels: 1 s if it is 0.
	DownAfter time.Duration

	// NodeTimeout is how long a silent node is waited for by a cluster: 1.5 s if it is 0.
	NodeTimeout time.Duration
}

// Server is one redis-server process. Its methods may be called at the same time; those that return no error end the
// test if they cannot do their work.
type Server struct {
	// Port is where it listens on 127.0.0.1, the same for as long as the test runs.
	Port int

	// Dir is its folder.
	Dir string

	// TLS are the certificates; nil if it does not speak TLS.
	TLS *TLS

	tb      testing.TB
	opts    Options
	kind    kind
	busPort int
	ports   []*port
	program string

	mu     sync.Mutex
	proc   *process
	client *redis.Client
	own    map[string]bool // local addresses of the client's connections
}

// Start runs one server until the end of the test.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	s := newServer(tb, standalone, opts, newTLSFor(tb, opts))
	boot(tb, s)
	return s
}

// Addr is where the server listens (host:port).
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Do sends a command, as a user who may do everything, and returns the reply as go-redis gives it for RESP2: string,
// int64, []any, or nil with [redis.Nil]. Nothing is sent twice.
func (s *Server) Do(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), doTimeout)
	defer cancel()
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	return client.Do(ctx, args...).Result()
}

// text is Do for commands whose reply is a string.
func (s *Server) text(args ...any) (string, error) {
	reply, err := s.Do(args...)
	text, _ := reply.(string)
	return text, err
}

const doTimeout = 5 * time.Second

// newClient makes the client of Do. It is made anew with every process, because go-redis answers for a second from its
// memory of failed connections.
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

// isOwn reports whether an address is that of a connection of Do.
func (s *Server) isOwn(addr string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own[addr]
}
