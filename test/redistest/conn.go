package redistest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// conn is a plain connection, for health checks and MONITOR, where a connection pool gets in the
// way.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// dial connects to the server without logging in.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	if s.TLS != nil {
		return (&tls.Dialer{Config: s.TLS.Config()}).DialContext(ctx, "tcp", s.Addr())
	}
	return new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
}

// connect connects to the server as the user with all permissions.
func (s *Server) connect(timeout time.Duration) (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{nc, bufio.NewReader(nc)}
	_ = c.SetDeadline(time.Now().Add(timeout))
	if _, err := c.ask("AUTH", adminUser, adminPassword); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// ask sends a command with a one-line reply.
func (c *conn) ask(args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := c.Write([]byte(b.String())); err != nil {
		return "", err
	}
	return c.line()
}

// line reads a line; an error reply is returned as an error.
func (c *conn) line() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if text, bad := strings.CutPrefix(line, "-"); bad {
		return "", errors.New(text)
	}
	return strings.TrimPrefix(line, "+"), nil
}
