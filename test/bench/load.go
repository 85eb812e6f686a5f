package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// otherCookie is one that every request carries, beside the session's if there is one.
const otherCookie = "theme=dark"

// load is a closed loop of connections that each send one request after another. It is plain, so
// that the processor is the proxy's.
type load struct {
	path  string
	conns []*conn
}

// conn is a connection whose visitors take turns. Their cookies are what they send beside
// otherCookie.
type conn struct {
	net.Conn
	r        *bufio.Reader
	cookies  []string
	requests [][]byte
	sent     int
}

// dial opens connections. Where first is a path that gives cookies, that many visitors share them,
// each with a cookie from there; otherwise nobody has one.
func dial(addr, first, path string, conns, visitors int) (*load, error) {
	l := &load{path: path}
	for range conns {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		l.conns = append(l.conns, &conn{Conn: nc, r: bufio.NewReader(nc), cookies: []string{""}})
	}
	if first != "" {
		if err := l.getCookies(addr, first, visitors); err != nil {
			return nil, err
		}
	}
	for _, c := range l.conns {
		c.prepare(addr, path)
	}
	return l, nil
}

func (l *load) getCookies(addr, path string, visitors int) error {
	return l.each(func(i int, c *conn) error {
		c.cookies = nil
		for n := i; n < visitors; n += len(l.conns) {
			cookie, err := c.send(fmt.Appendf(nil, browser, addr, path, otherCookie))
			if err != nil {
				return err
			}
			if cookie == "" {
				return fmt.Errorf("%s sets no cookie", path)
			}
			c.cookies = append(c.cookies, "; "+cookie)
		}
		return nil
	})
}

// copyTo opens as many connections to another proxy, which send the same requests.
func (l *load) copyTo(addr string) (*load, error) {
	other, err := dial(addr, "", l.path, len(l.conns), 0)
	if err != nil {
		return nil, err
	}
	for i, c := range other.conns {
		c.cookies = l.conns[i].cookies
		c.prepare(addr, l.path)
	}
	return other, nil
}

// browser is what Debian's Chromium 156 sends, byte for byte and without "Headless", when somebody
// follows a link on a page of the site. Fewer headers would flatter or blame a handler that adds
// some: Go's maps work in another way from nine entries on.
const browser = "GET %[2]s HTTP/1.1\r\n" +
	"Host: %[1]s\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Not:A-Brand\";v=\"8\", \"Chromium\";v=\"156\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Referer: http://%[1]s/\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Cookie: %[3]s\r\n\r\n"

func (c *conn) prepare(addr, path string) {
	c.requests = nil
	for _, cookie := range c.cookies {
		c.requests = append(c.requests, fmt.Appendf(nil, browser, addr, path, otherCookie+cookie))
	}
}

// do sends the request of the visitor whose turn it is, and reads the response.
func (c *conn) do() error {
	c.sent++
	_, err := c.send(c.requests[c.sent%len(c.requests)])
	return err
}

// send sends a request and reads the response, and the cookie that it sets.
func (c *conn) send(request []byte) (cookie string, err error) {
	if _, err := c.Write(request); err != nil {
		return "", err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(status), " 200 ") {
		return "", fmt.Errorf("the proxy answered %q", status)
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if text, found := strings.CutPrefix(string(line), "Set-Cookie: "); found {
			cookie, _, _ = strings.Cut(text, ";")
		}
		if text, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			if _, err := fmt.Sscanf(text, "%d", &length); err != nil {
				return "", err
			}
		}
	}
	if length < 0 {
		return "", fmt.Errorf("the response has no length")
	}
	_, err = io.CopyN(io.Discard, c.r, int64(length))
	return cookie, err
}

// run sends n requests over all connections together.
func (l *load) run(n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	return l.each(func(_ int, c *conn) error {
		for left.Add(-1) >= 0 {
			if err := c.do(); err != nil {
				return err
			}
		}
		return nil
	})
}

// count is how many requests have been run.
func (l *load) count() (n int) {
	for _, c := range l.conns {
		n += c.sent
	}
	return n
}

// each calls use for all connections at once.
func (l *load) each(use func(i int, c *conn) error) error {
	errs := make([]error, len(l.conns))
	var wg sync.WaitGroup
	for i, c := range l.conns {
		wg.Go(func() { errs[i] = use(i, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *load) close() {
	for _, c := range l.conns {
		_ = c.Close()
	}
}
