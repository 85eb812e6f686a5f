package harness

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Lines runs a server that puts lines between a browser and servers, as if they were far apart:
// every byte takes the delay, each way. It returns the URL by which a script controls them:
//
//	/lay?to=<host:port>                          returns the address of a new line
//	/fate?line=<address>&of=POST /login&is=hold  sets what happens to responses to these requests from now on
//	/answered?line=<address>&of=POST /login&n=2  returns when the server has begun n such responses
//	/asked?...                                   returns when the server has received n such requests
//
// The fates are hold (responses wait), half (the first bytes arrive, the others wait), lose
// (nothing arrives, and the connection closes) and deliver, which also sends what waits.
func Lines(tb testing.TB, delay time.Duration) (control string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var lines sync.Map // by address
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path == "/lay" {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			context.AfterFunc(ctx, func() { _ = listener.Close() })
			l := &line{
				to: query.Get("to"), delay: delay, fates: make(map[string]string), counts: make(map[string]int), changed: make(chan struct{}),
			}
			lines.Store(listener.Addr().String(), l)
			go l.run(ctx, listener)
			_, _ = io.WriteString(w, listener.Addr().String())
			return
		}
		found, ok := lines.Load(query.Get("line"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		l, of := found.(*line), query.Get("of")
		if r.URL.Path == "/fate" {
			l.change(func() { l.fates[of] = query.Get("is") })
			return
		}
		n, _ := strconv.Atoi(query.Get("n"))
		if !l.wait(r.Context(), func() bool { return l.counts[r.URL.Path+" "+of] >= n }) {
			http.Error(w, "no such line", http.StatusGone)
		}
	}))
	tb.Cleanup(func() {
		cancel()
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// line is one line. Requests are named by method and path, such as "POST /login".
type line struct {
	to    string
	delay time.Duration

	mu      sync.Mutex
	fates   map[string]string
	counts  map[string]int // keys such as "/asked POST /login" and "/answered POST /login"
	changed chan struct{}  // closed and replaced at each change
}

func (l *line) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *line) wait(ctx context.Context, met func() bool) bool {
	for {
		l.mu.Lock()
		ok, changed := met(), l.changed
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (l *line) run(ctx context.Context, listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go l.carry(ctx, client)
	}
}

// carry forwards both directions of a connection. Browsers send no request before the last one is
// answered.
func (l *line) carry(ctx context.Context, client net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = client.Close() })
	pieces := l.delayed(ctx, client, func() {})
	first, ok := <-pieces
	if !ok {
		return // opened in advance and never used
	}
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })

	var mu sync.Mutex
	var request string
	begun := true
	send := func(piece []byte) error {
		if method, rest, found := bytes.Cut(piece, []byte(" /")); found && (string(method) == "GET" || string(method) == "POST") {
			mu.Lock()
			request, begun = string(method)+" /"+string(rest[:bytes.IndexAny(rest, "? ")]), false
			l.change(func() { l.counts["/asked "+request]++ })
			mu.Unlock()
		}
		_, err := server.Write(piece)
		return err
	}
	go func() {
		defer cancel()
		for piece, ok := first, true; ok && send(piece) == nil; piece, ok = <-pieces {
		}
	}()
	answers := l.delayed(ctx, server, func() {
		mu.Lock()
		defer mu.Unlock()
		if !begun {
			begun = true
			l.change(func() { l.counts["/answered "+request]++ })
		}
	})
	for piece := range answers {
		mu.Lock()
		of := request
		mu.Unlock()
		if piece = l.meetFate(ctx, of, client, piece); piece == nil {
			return
		}
		if _, err := client.Write(piece); err != nil {
			return
		}
	}
}

// meetFate waits and returns the part of a piece of a response that is delivered: nil if none ever
// is.
func (l *line) meetFate(ctx context.Context, of string, client io.Writer, piece []byte) []byte {
	const half = len("HTTP/1.1 303 ")
	for cut := false; ; cut = true {
		var fate string
		if !l.wait(ctx, func() bool { fate = l.fates[of]; return fate != "hold" && (!cut || fate != "half") }) || fate == "lose" {
			return nil
		}
		if fate != "half" {
			return piece
		}
		n := min(half, len(piece))
		if _, err := client.Write(piece[:n]); err != nil {
			return nil
		}
		piece = piece[n:]
	}
}

// delayed returns a channel that passes on each piece after the line's delay, and is closed after
// the end, delayed too. It calls arrived when a piece arrives.
func (l *line) delayed(ctx context.Context, from io.Reader, arrived func()) <-chan []byte {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces, due := make(chan piece, 1024), make(chan []byte)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				arrived()
			}
			if n > 0 || err != nil {
				pieces <- piece{buf[:n], time.Now().Add(l.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(due)
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if len(p.bytes) == 0 {
				return
			}
			select {
			case due <- p.bytes:
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}
