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

	// period is how often a client asks for something. Those that share a session do so at the same moment, so that
	// their changes meet; the sessions take turns, so that the machine is not overrun.
	period = 200 * time.Millisecond

	// full is how many changes a session has when it is replaced by a fresh one.
	full = 200
)

// session is what its clients know of it.
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
	all    []*session // that have ever been
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

// begin makes the sessions and lets the clients loose on them.
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

// until waits for the next moment that begins a period, with an offset, and reports whether the work goes on.
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

// work is what a client does.
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

// replace begins another session for a group, unless another client has done so.
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

// solo is a session that one client has for itself, at what comes next in its life.
type solo struct {
	*session
	next int
}

// life is what happens to it. Its cookie is used on after the end.
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
		// It may have got another id that nobody knows: nobody asks for this session until all is over.
		s.next = 0
	}
}

// do sends a request and notes what becomes of it.
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

// send returns the response when all of it has come.
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

// keepPace asks a proxy for what has nothing to do with sessions, all the while.
func (c *crowd) keepPace(proxy int) {
	for c.until(period/8, 0) {
		p := pace{proxy: proxy, sent: c.h.now()}
		if _, err := c.send(proxy, "/pace", ""); err == nil {
			p.done = c.h.now()
			c.h.addPace(p)
		}
	}
}

// readAll reads what has become of all sessions, through all proxies. A server that has just recovered may need more than one request.
func (c *crowd) readAll() {
	for _, s := range c.all {
		if s.get() == "" {
			continue // its begin was not answered
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
