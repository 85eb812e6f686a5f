package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxItem is the maximum size of an item that is read, in bytes.
const maxItem = deadlineLen + sessionstore.MaxValue

var errTooLarge = fmt.Errorf("%w: memcached: the record is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)

// bounded is a connection that fails at the start of an item larger than any of ours. The client
// reads items as a whole, and a server may allow items of up to 1 GiB, which other programs may
// have written.
type bounded struct {
	net.Conn

	// line is the start of the first line of a reply. begun says that the line is complete.
	line  []byte
	begun bool

	// answered says that the server has sent anything on this connection.
	answered bool
}

// hungUpError says that the server accepted the connection and closed it without a reply, as a load
// balancer without servers does. The command may have run all the same.
type hungUpError struct{ error }

func (e hungUpError) Unwrap() error { return e.error }

// ended converts an error of the connection.
func (c *bounded) ended(err error) error {
	var network net.Error
	if err == nil || c.answered || errors.As(err, &network) && network.Timeout() {
		return err
	}
	return hungUpError{err}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn}, nil
}

// Write implements [net.Conn]. Each command has one key and so one reply.
func (c *bounded) Write(p []byte) (int, error) {
	c.line, c.begun = c.line[:0], false
	n, err := c.Conn.Write(p)
	return n, c.ended(err)
}

// Read implements [net.Conn].
func (c *bounded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.answered = c.answered || n > 0
	err = c.ended(err)
	if c.begun {
		return n, err
	}
	line, _, whole := bytes.Cut(p[:n], []byte{'\n'})
	c.line = append(c.line, line...)
	if c.begun = whole; whole && itemSize(c.line) > maxItem {
		return 0, errTooLarge
	}
	return n, err
}

// itemSize returns the size in a line "VALUE <key> <flags> <bytes> …". It is 0 for other lines.
func itemSize(line []byte) uint64 {
	fields := bytes.Fields(line)
	if len(fields) < 4 || string(fields[0]) != "VALUE" {
		return 0
	}
	// a number out of range becomes the maximum
	size, _ := strconv.ParseUint(string(fields[3]), 10, 64)
	return size
}
