package http_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
)

// serveRaw answers one request.
func serveRaw(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if h, ok := handlers.Load(r.Header.Get(handlerHeader)); ok {
		h.(rawHandler)(conn, r)
	}
}

// rawText returns a rawHandler that sends a text and closes the connection.
func rawText(text string) rawHandler {
	return func(conn net.Conn, _ *http.Request) { _, _ = io.WriteString(conn, text) }
}

// rawFCGI is the address of a FastCGI responder that sends raw bytes: its handlers are of type
// fcgiHandler.
var rawFCGI = sync.OnceValue(func() string {
	l := listen()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveFCGI(conn)
		}
	}()
	return l.Addr().String()
})

// fcgiHandler returns the bytes of a response on stdout.
type fcgiHandler func(params map[string]string) string

// The FastCGI record types of a responder.
const (
	fcgiEndRequest = 3
	fcgiParams     = 4
	fcgiStdin      = 5
	fcgiStdout     = 6
)

func serveFCGI(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var params []byte
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		size, padding := binary.BigEndian.Uint16(head[4:]), head[6]
		content := make([]byte, int(size)+int(padding))
		if _, err := io.ReadFull(in, content); err != nil {
			return
		}
		switch {
		case head[1] == fcgiParams:
			params = append(params, content[:size]...)
		case head[1] == fcgiStdin && size == 0:
			env := fcgiEnv(params)
			if h, ok := handlers.Load(env["HTTP_TEST_HANDLER"]); ok {
				out := h.(fcgiHandler)(env)
				for len(out) > 0 {
					n := min(len(out), 60000)
					writeFCGI(conn, fcgiStdout, out[:n])
					out = out[n:]
				}
			}
			writeFCGI(conn, fcgiStdout, "")
			writeFCGI(conn, fcgiEndRequest, "\x00\x00\x00\x00\x00\x00\x00\x00")
			return
		}
	}
}

func writeFCGI(w io.Writer, kind byte, content string) {
	head := []byte{1, kind, 0, 1, byte(len(content) >> 8), byte(len(content)), 0, 0}
	_, _ = w.Write(append(head, content...))
}

// fcgiEnv reads name-value pairs.
func fcgiEnv(b []byte) map[string]string {
	env := map[string]string{}
	length := func() int {
		if len(b) > 0 && b[0] < 0x80 {
			n := int(b[0])
			b = b[1:]
			return n
		}
		if len(b) < 4 {
			b = nil
			return 0
		}
		n := int(binary.BigEndian.Uint32(b) &^ (1 << 31))
		b = b[4:]
		return n
	}
	for len(b) > 0 {
		name, value := length(), length()
		if name+value > len(b) {
			break
		}
		env[string(b[:name])] = string(b[name : name+value])
		b = b[name+value:]
	}
	return env
}
