package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"slices"
	"sync"
)

// gate forwards the messages of all connections, but only one write at a time.
type gate struct {
	socket string
	turn   sync.Mutex
}

func (g *gate) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("unix", g.socket)
			if err != nil {
				log.Print(err)
				return
			}
			defer server.Close()
			if err := g.pass(client, server); !errors.Is(err, io.EOF) {
				log.Print(err)
			}
		}()
	}
}

func (g *gate) pass(client, server net.Conn) error {
	for {
		request, err := read(client)
		if err != nil {
			return err
		}
		reply, err := g.ask(server, request)
		if err != nil {
			return err
		}
		if _, err := client.Write(reply); err != nil {
			return err
		}
	}
}

// readers are the commands that do not write.
var readers = []string{"find", "hello", "isMaster", "ismaster", "ping"}

// ask forwards a request and returns the reply when it has been executed. A request without a reply
// returns none.
func (g *gate) ask(server net.Conn, request []byte) ([]byte, error) {
	name := command(request)
	if name == "createIndexes" && bytes.Contains(request, []byte("expireAfterSeconds\x00")) {
		return ok(request), nil
	}
	if !slices.Contains(readers, name) {
		g.turn.Lock()
		defer g.turn.Unlock()
	}
	if _, err := server.Write(request); err != nil || noReply(request) {
		return nil, err
	}
	return read(server)
}

const (
	headerLen = 16

	// maxMessage is MongoDB's limit, in bytes.
	maxMessage = 48_000_000

	opMsg      = 2013
	moreToCome = 1 << 1
)

// read reads a message, which begins with its length.
func read(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n < headerLen || n > maxMessage {
		return nil, errors.New("invalid message length")
	}
	message := append(make([]byte, 0, n), length[:]...)
	message = message[:n]
	_, err := io.ReadFull(r, message[len(length):])
	return message, err
}

// command returns the name of a message's command: the name of its document's first field. It
// returns "" for other messages.
func command(message []byte) string {
	const name = headerLen + 4 + 1 + 4 + 1 // after the flags, the section's kind, the document's length and the field's type
	if !isMsg(message) || len(message) < name || message[headerLen+4] != 0 {
		return ""
	}
	command, _, _ := bytes.Cut(message[name:], []byte{0})
	return string(command)
}

// ok returns the reply {ok: 1} to a request.
func ok(request []byte) []byte {
	document := []byte("\x11\x00\x00\x00\x01ok\x00")
	document = append(binary.LittleEndian.AppendUint64(document, math.Float64bits(1)), 0)
	reply := binary.LittleEndian.AppendUint32(nil, uint32(headerLen+4+1+len(document)))
	reply = append(reply, 0, 0, 0, 0)
	reply = append(reply, request[4:8]...) // request id
	reply = binary.LittleEndian.AppendUint32(reply, opMsg)
	return append(append(reply, 0, 0, 0, 0, 0), document...)
}

func noReply(message []byte) bool {
	return isMsg(message) && binary.LittleEndian.Uint32(message[headerLen:])&moreToCome != 0
}

func isMsg(message []byte) bool {
	return len(message) >= headerLen+4 && binary.LittleEndian.Uint32(message[12:]) == opMsg
}
