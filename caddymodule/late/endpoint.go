package late

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

const (
	// anyPort is the default address: it is reached from this machine only.
	anyPort = "127.0.0.1:0"

	// maxTokens is the maximum number of tokens. Beyond it, the oldest ends sooner, those without a
	// session to change first.
	maxTokens = 1 << 16

	// maxConnections is the maximum number of connections. Further ones wait.
	maxConnections = 256

	// retry is how long a request gets no URL after the address could not be listened on.
	retry = 10 * time.Second
)

// endpoints are those of this process, by their addresses. They outlive configurations, so that a
// reload ends no token.
var endpoints = caddy.NewUsagePool()

// Endpoint is a listener and the tokens that it serves.
type Endpoint struct {
	address string

	mu     sync.Mutex
	closed bool
	server *http.Server
	base   string    // the URL of the server
	failed error     // why it does not listen
	again  time.Time // when it tries again
	tokens map[string]*Token

	// dropped and begun are the tokens whose responses have begun, without a session and with one,
	// in the order in which they expire.
	dropped, begun []*Token
}

// Join returns the endpoint at an address, or at any port of this machine if that is empty. It must
// be left. Nothing listens before it is needed, because "caddy validate" calls this too.
func Join(address string) *Endpoint {
	e, _, _ := endpoints.LoadOrNew(address, func() (caddy.Destructor, error) {
		return &Endpoint{address: address, tokens: make(map[string]*Token)}, nil
	})
	return e.(*Endpoint)
}

// Leave says that a configuration has ended. The last one closes the endpoint.
func (e *Endpoint) Leave() { _, _ = endpoints.Delete(e.address) }

// Destruct implements [caddy.Destructor].
func (e *Endpoint) Destruct() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed, e.tokens, e.dropped, e.begun = true, nil, nil, nil
	if e.server == nil {
		return nil
	}
	return e.server.Close()
}

var errClosed = errors.New("the configuration has ended")

// Listen makes the endpoint listen, if it does not.
func (e *Endpoint) Listen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.listen()
}

// listen is Listen for callers that hold mu.
func (e *Endpoint) listen() error {
	switch {
	case e.closed:
		return errClosed
	case e.base != "":
		return nil
	case time.Now().Before(e.again):
		return e.failed
	}
	// Not by Caddy's listeners, which share a port with other processes: a token is known to this
	// one only.
	l, err := net.Listen("tcp", cmp.Or(e.address, anyPort))
	if err != nil {
		e.failed, e.again = fmt.Errorf("listening for late changes: %w", err), time.Now().Add(retry)
		return e.failed
	}
	e.base = "http://" + l.Addr().String()
	e.server = &http.Server{
		Handler: e, ErrorLog: zap.NewStdLog(zap.NewNop()), MaxHeaderBytes: 8 << 10,
		ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 10 * time.Second,
	}
	go func() { _ = e.server.Serve(netutil.LimitListener(l, maxConnections)) }()
	return nil
}

// Issue returns a token for a request. The app reaches the endpoint at the URL base, or at its
// address if that is empty. It signs with one of the keys. What it does wrong is logged.
func (e *Endpoint) Issue(base string, keys [][]byte, logger *zap.Logger) (*Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.listen(); err != nil {
		return nil, err
	}
	e.forget(len(e.tokens) - maxTokens + 1)
	if len(e.tokens) >= maxTokens {
		return nil, errTooMany
	}
	t := &Token{endpoint: e, name: rand.Text(), keys: keys, logger: logger, begun: make(chan struct{})}
	t.url = cmp.Or(base, e.base) + "/" + t.name
	e.tokens[t.name] = t
	return t, nil
}

var errTooMany = errors.New("too many requests are running")

// begin makes the time of a token run. It reports false if it is running.
func (e *Endpoint) begin(t *Token, dropped bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !t.expires.IsZero() {
		return false
	}
	t.expires = time.Now().Add(Lifetime)
	switch {
	case e.closed:
	case dropped:
		e.dropped = append(e.dropped, t)
	default:
		e.begun = append(e.begun, t)
	}
	return true
}

// find returns the token of this name, or nobody.
func (e *Endpoint) find(name string) *Token {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(0)
	return cmp.Or(e.tokens[name], nobody)
}

// forget forgets the tokens whose time is over, and at least excess of those that are running. The
// caller holds mu.
func (e *Endpoint) forget(excess int) {
	now := time.Now()
	for _, queue := range []*[]*Token{&e.dropped, &e.begun} {
		for len(*queue) > 0 {
			t := (*queue)[0]
			early := now.Before(t.expires)
			if early && excess <= 0 {
				break
			}
			if early && queue == &e.begun {
				t.logger.Warn("a session can be changed late for less than a minute: too many requests", zap.Int("tokens", maxTokens))
			}
			delete(e.tokens, t.name)
			(*queue)[0] = nil
			*queue = (*queue)[1:]
			excess--
		}
	}
}
