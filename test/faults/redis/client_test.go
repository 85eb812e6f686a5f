package redis

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	clients  = 64
	sessions = 16

	// period is how often a client sends a request. Clients of one session send at the same moment,
	// so that their changes meet; the sessions take turns to limit the load.
	period = 200 * time.Millisecond

	// full is the number of changes after which a session is replaced.
	full = 200
)

// session is what its clients know about a session.
type session struct {
	name string

	mu     sync.Mutex
	cookie string
}

func (s *session) get() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookie
}

func (s *session) set(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie = cookie
}

// crowd are the clients of a run.
type crowd struct {
	h       *history
	proxies []string // URLs
	http    []*http.Client

	mu     sync.Mutex
	named  int
	all    []*session // all sessions so far
	shared [sessions]*session

	stop chan struct{}
	wg   sync.WaitGroup
}

func newCrowd(h *history, proxies ...string) *crowd {
	c := &crowd{h: h, proxies: proxies, stop: make(chan struct{})}
	for range proxies {
		c.http = append(c.http, &http.Client{
			Transport: &http.Transport{DialContext: (&net.Dialer{}).DialContext, MaxIdleConnsPerHost: 2 * clients},
			Timeout:   20 * time.Second,
		})
	}
	return c
}

// begin creates the sessions and starts the clients.
func (c *crowd) begin() error {
	for i := range c.shared {
		s := c.newSession()
		if o := c.do(create, s, i%len(c.proxies)); !o.ok() {
			return fmt.Errorf("the first sessions: status %d, %v", o.status, o.err)
		}
		c.shared[i] = s
	}
	for i := range clients {
		c.wg.Go(func() { c.work(i) })
	}
	for i := range c.proxies {
		c.wg.Go(func() { c.keepPace(i) })
	}
	return nil
}

// end waits for the clients. It may be called twice.
func (c *crowd) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.wg.Wait()
	for _, client := range c.http {
		client.CloseIdleConnections()
	}
}

func (c *crowd) newSession() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.named++
	s := &session{name: fmt.Sprint("s", c.named)}
	c.all = append(c.all, s)
	return s
}

// until waits until an offset after the next period begins, and reports whether to go on.
func (c *crowd) until(every, offset time.Duration) bool {
	t := time.NewTimer(every - (c.h.now()-offset+every)%every)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.stop:
		return false
	}
}

// work is the loop of a client.
func (c *crowd) work(i int) {
	group := i % sessions
	var own solo
	for c.until(period, time.Duration(group)*period/sessions) {
		proxy := rand.IntN(len(c.proxies))
		switch p := rand.IntN(100); {
		case p < 25:
			own.step(c, proxy)
		case p < 65:
			o := c.do(change, c.current(group), proxy)
			if o.ok() && o.found.N >= full {
				c.replace(group, o.session, proxy)
			}
		default:
			c.do(read, c.current(group), proxy)
		}
	}
}

func (c *crowd) current(group int) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared[group]
}

// replace begins a new session for a group, unless another client has done so.
func (c *crowd) replace(group int, name string, proxy int) {
	if c.current(group).name != name {
		return
	}
	s := c.newSession()
	if !c.do(create, s, proxy).ok() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared[group] = s
}

// solo is a session with one client, at the next step of its life.
type solo struct {
	*session
	next int
}

// life are the steps of a solo session. The client keeps using its cookie after the end.
var life = []kind{create, change, read, regenerate, read, change, destroy, read}

func (s *solo) step(c *crowd, proxy int) {
	if s.next == 0 {
		s.session = c.newSession()
	}
	o := c.do(life[s.next], s.session, proxy)
	switch {
	case o.ok():
		s.next = (s.next + 1) % len(life)
	case o.kind == create || o.kind == regenerate:
		// It may have a new id that nobody knows: do not use this session until the end.
		s.next = 0
	}
}

// do sends a request and records its result.
func (c *crowd) do(k kind, s *session, proxy int) *op {
	cookie := s.get()
	o := c.h.begin(k, s.name, proxy)
	resp, err := c.send(proxy, fmt.Sprint("/?op=", o.number), cookie)
	done := c.h.now()
	c.h.update(o.number, func(o *op) {
		o.done, o.err = done, err
		if err != nil {
			return
		}
		o.status = resp.StatusCode
		o.cookie = len(resp.Header.Values("Set-Cookie")) > 0
	})
	if err == nil && resp.StatusCode == http.StatusOK && (k == create || k == regenerate) {
		if set := resp.Header.Get("Set-Cookie"); set != "" {
			value, _, _ := strings.Cut(set, ";")
			s.set(value)
		}
	}
	return o
}

// send returns the response when it is complete.
func (c *crowd) send(proxy int, path, cookie string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, c.proxies[proxy]+path, nil)
	if err != nil {
		return nil, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := c.http[proxy].Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

// keepPace keeps sending requests without sessions to a proxy.
func (c *crowd) keepPace(proxy int) {
	for c.until(period/8, 0) {
		p := pace{proxy: proxy, sent: c.h.now()}
		if _, err := c.send(proxy, "/pace", ""); err == nil {
			p.done = c.h.now()
			c.h.addPace(p)
		}
	}
}

// readAll reads all sessions in the end, through all proxies. It retries, as a server may just have
// recovered.
func (c *crowd) readAll() {
	for _, s := range c.all {
		if s.get() == "" {
			continue // its begin was not confirmed
		}
		for proxy := range c.proxies {
			for range 20 {
				if c.do(final, s, proxy).ok() {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}
