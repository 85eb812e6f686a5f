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

// server is one server: one that is dead costs the others nothing.
type server struct {
	addr    string
	client  *memcache.Client
	breaker *breaker.Breaker
	slots   chan struct{} // as many as connections
}

func newServer(addr string, o *Options) *server {
	var onChange func(error)
	if o.OnState != nil {
		onChange = func(err error) { o.OnState(addr, err) }
	}
	client := memcache.NewFromSelector(only(addr))
	client.DialContext, client.Timeout, client.MaxIdleConns = dial, o.Timeout, o.PoolSize
	return &server{addr, client, breaker.New(o.Timeout/2, onChange), make(chan struct{}, o.PoolSize)}
}

// only is the one address of a client. Its name is looked up when it is connected to, and not before.
type only string

func (a only) PickServer(string) (net.Addr, error)  { return a, nil }
func (a only) Each(each func(net.Addr) error) error { return each(a) }
func (a only) String() string                       { return string(a) }

func (a only) Network() string {
	if strings.HasPrefix(string(a), "/") {
		return "unix"
	}
	return "tcp"
}

// server returns the server of a key: the one that scores highest with it, so that a server that comes or goes
// changes nothing between the others.
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

// score must stay as it is: with another, all sessions would be on other servers.
func score(addr, key string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, addr)
	_, _ = h.Write([]byte{0})
	_, _ = io.WriteString(h, key)
	x := h.Sum64() // the last bytes have hardly changed its upper bits
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// refusedError is what the server says about a command that it has not executed.
type refusedError string

func (e refusedError) Error() string { return "the server refuses: " + string(e) }

var errReply = errors.New("an unexpected reply")

// readable is the client's error, without what it quotes of keys and values.
func readable(addr string, err error) error {
	var timeout *memcache.ConnectTimeoutError
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &timeout):
		return &net.OpError{Op: "dial", Net: only(addr).Network(), Addr: only(addr), Err: context.DeadlineExceeded}
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

// isReply reports whether the server has answered, if only with an error.
func isReply(err error) bool {
	var refused refusedError
	return err == nil || errors.As(err, &refused) || errors.Is(err, errReply) || errors.Is(err, errTooLarge)
}

// mayHaveRun reports whether a command that ended with this error may have been executed.
func mayHaveRun(err error) bool {
	var refused refusedError
	return err != nil && !errors.As(err, &refused) && !breaker.IsDial(err) && !errors.Is(err, breaker.ErrOpen)
}

// passing reports whether the same command may soon succeed.
func passing(err error) bool { return !isReply(err) && !errors.Is(err, breaker.ErrOpen) }

// send has a command sent, unless the server is known to be out of reach.
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
		err = readable(sv.addr, err)
	}
	if errors.As(err, new(hungUpError)) {
		sv.breaker.Settle(probe, breaker.Unreachable, err)
	} else {
		sv.breaker.Leave(context.Background(), probe, start, isReply(err), err)
	}
	return result, err
}
