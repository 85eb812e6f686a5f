package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// otherCookie is one that every request carries, beside the session's if there is one.
const otherCookie = "theme=dark"

// load is a closed loop of connections that each send one request after another. It is
// plain, so that the processor is the proxy's.
type load struct {
	addr  string
	path  string
	conns []*conn
}

type conn struct {
	net.Conn
	r       *bufio.Reader
	request []byte
	cookie  string

	// turns are requests that take turns, instead of the one request.
	turns [][]byte
}

// dial opens n connections, each with a session of its own if first is the path that makes one.
func dial(addr, first, path string, n int) (*load, error) {
	l := &load{addr: addr, path: path}
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, r: bufio.NewReader(nc)}
		l.conns = append(l.conns, c)
		if first != "" {
			c.prepare(addr, first)
			if err := c.do(); err != nil {
				return nil, err
			}
		}
		c.prepare(addr, path)
	}
	return l, nil
}

// copyTo opens as many connections to another proxy, which send the same requests.
func (l *load) copyTo(addr string) (*load, error) {
	other, err := dial(addr, "", l.path, len(l.conns))
	if err != nil {
		return nil, err
	}
	for i, c := range other.conns {
		c.cookie = l.conns[i].cookie
		c.prepare(addr, l.path)
	}
	return other, nil
}

// browser is what Debian's Chromium 156 sends, byte for byte and without "Headless", when somebody follows a link on a page of the
// site. Fewer headers would flatter or blame a handler that adds some: Go's maps work in another way from nine entries on.
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
	c.request = fmt.Appendf(nil, browser, addr, path, otherCookie+c.cookie)
}

// do sends the request and reads the response.
func (c *conn) do() error {
	if len(c.turns) > 0 {
		c.request = c.turns[0]
		c.turns = append(c.turns[1:], c.request)
	}
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.Contains(string(status), " 200 ") {
		return fmt.Errorf("the proxy answered %q", status)
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if cookie, found := strings.CutPrefix(string(line), "Set-Cookie: caddy_session="); found {
			value, _, _ := strings.Cut(cookie, ";")
			c.cookie = "; caddy_session=" + value
		}
		if text, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			if _, err := fmt.Sscanf(text, "%d", &length); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("the response has no length")
	}
	_, err = io.CopyN(io.Discard, c.r, int64(length))
	return err
}

// run sends n requests over all connections together.
func (l *load) run(n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make(chan error, len(l.conns))
	var wg sync.WaitGroup
	for _, c := range l.conns {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := c.do(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func (l *load) close() {
	for _, c := range l.conns {
		_ = c.Close()
	}
}
