package memcached

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

// server is one server. Each has a circuit breaker of its own, so that one that is down does not
// slow down the others.
type server struct {
	addr    string
	client  *memcache.Client
	breaker *breaker.Breaker
	slots   chan struct{} // one per connection
}

func newServer(addr string, o *Options) *server {
	client := memcache.NewFromSelector(oneAddr(addr))
	client.DialContext, client.Timeout, client.MaxIdleConns = dial, o.Timeout, o.PoolSize
	return &server{addr, client, breaker.New(o.Timeout/2, addr, o.OnState), make(chan struct{}, o.PoolSize)}
}

// oneAddr is the address of a client with one server. Its name is resolved when a connection is
// made, not before.
type oneAddr string

func (a oneAddr) PickServer(string) (net.Addr, error)  { return a, nil }
func (a oneAddr) Each(each func(net.Addr) error) error { return each(a) }
func (a oneAddr) String() string                       { return string(a) }

func (a oneAddr) Network() string {
	if strings.HasPrefix(string(a), "/") {
		return "unix"
	}
	return "tcp"
}

// server returns the server of a key: the one with the highest score for it (rendezvous hashing),
// so that adding or removing a server moves no key between the others.
func (s *Store) server(key string) *server {
	best, most := s.servers[0], uint64(0)
	if len(s.servers) == 1 {
		return best
	}
	for _, sv := range s.servers {
		if score := score(sv.addr, key); score >= most {
			best, most = sv, score
		}
	}
	return best
}

// score must never change: sessions would be looked up on other servers.
func score(addr, key string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, addr)
	_, _ = h.Write([]byte{0})
	_, _ = io.WriteString(h, key)
	x := h.Sum64() // FNV barely spreads the last bytes to the upper bits
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// refusedError is the server's error reply to a command, which has not run.
type refusedError string

func (e refusedError) Error() string { return "the server refused: " + string(e) }

var errReply = errors.New("unexpected reply")

// redact returns the client's error without the keys and values that it quotes.
func redact(addr string, err error) error {
	var timeout *memcache.ConnectTimeoutError
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &timeout):
		return &net.OpError{Op: "dial", Net: oneAddr(addr).Network(), Addr: oneAddr(addr), Err: context.DeadlineExceeded}
	case errors.Is(err, errTooLarge), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	for _, kind := range []string{"SERVER_ERROR ", "CLIENT_ERROR "} {
		if _, text, found := strings.Cut(err.Error(), `: "`+kind); found {
			text, _, _ = strings.Cut(text, `\r`)
			return refusedError(text)
		}
	}
	return errReply
}

// isReply reports whether the server replied, even if with an error.
func isReply(err error) bool {
	var refused refusedError
	return err == nil || errors.As(err, &refused) || errors.Is(err, errReply) || errors.Is(err, errTooLarge)
}

// mayHaveRun reports whether a command that failed with err may have run on the server.
func mayHaveRun(err error) bool {
	var refused refusedError
	return err != nil && !errors.As(err, &refused) && !breaker.IsDial(err) && !errors.Is(err, breaker.ErrOpen)
}

// retryable reports whether the same command may soon succeed.
func retryable(err error) bool { return !isReply(err) && !errors.Is(err, breaker.ErrOpen) }

// send runs command, unless the breaker is open.
func (sv *server) send(command func(*memcache.Client) error) (result error, err error) {
	probe, err := sv.breaker.Enter()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	err = command(sv.client)
	switch err {
	case memcache.ErrCacheMiss, memcache.ErrNotStored, memcache.ErrCASConflict:
		result, err = err, nil
	case memcache.ErrMalformedKey:
		err = fmt.Errorf("%w", refusedError("the key"))
	default:
		err = redact(sv.addr, err)
	}
	if errors.As(err, new(hungUpError)) {
		sv.breaker.Settle(probe, breaker.Unreachable, err)
	} else {
		sv.breaker.Leave(context.Background(), probe, start, isReply(err), err)
	}
	return result, err
}
