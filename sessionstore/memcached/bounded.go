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

// maxItem is the size of the largest item that is read.
const maxItem = deadlineLen + sessionstore.MaxValue

var errTooLarge = fmt.Errorf("%w: memcached: it is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)

// bounded is a connection that fails where an item begins that is larger than any of ours: the client reads what another
// program has put there as a whole, and a server may be set to take a GiB.
type bounded struct {
	net.Conn

	// line is what has come of the first line of a reply. Then there is no more to look at.
	line  []byte
	begun bool

	// answered says that something has ever come.
	answered bool
}

// hungUpError says that the server has accepted a connection and ended it without a word, as a load balancer without servers does. What
// was sent may have been executed all the same.
type hungUpError struct{ error }

func (e hungUpError) Unwrap() error { return e.error }

// ended is the error of a connection.
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

// Write implements [net.Conn]. A command is followed by its reply, which is for one key.
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

// itemSize returns the number of bytes that a line announces: "VALUE <key> <flags> <bytes>", and perhaps more. It is 0 for
// other lines.
func itemSize(line []byte) uint64 {
	fields := bytes.Fields(line)
	if len(fields) < 4 || string(fields[0]) != "VALUE" {
		return 0
	}
	size, _ := strconv.ParseUint(string(fields[3]), 10, 64) // beyond its range it is the largest
	return size
}
