package redistest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Command is a command from a client.
type Command struct {
	// Client is the client's address (host:port).
	Client string

	// Args are the command and its arguments.
	Args []string
}

// Name returns the command's name in capitals.
func (c Command) Name() string { return strings.ToUpper(c.Args[0]) }

// String formats the command for failure messages.
func (c Command) String() string { return fmt.Sprintf("%s %q", c.Name(), c.Args[1:]) }

// Monitor starts MONITOR and returns a function that returns the commands that the server has run
// since the last call. A command that was answered before the call is never missing. Commands of
// scripts and of Do are left out; MONITOR does not show HELLO, AUTH and administrative commands. If
// the server was killed, it returns the commands until then.
func (s *Server) Monitor() (commands func() []Command) {
	s.tb.Helper()
	c, err := s.connect(doTimeout)
	if err == nil {
		_, err = c.ask("MONITOR")
	}
	if err != nil {
		s.tb.Fatalf("watching redis-server: %v", err)
	}
	_ = c.SetDeadline(time.Time{})
	s.tb.Cleanup(func() { _ = c.Close() })
	m := &monitor{more: make(chan struct{}, 1), ended: make(chan struct{})}
	go m.read(c)
	return func() []Command {
		s.tb.Helper()
		// The server runs one command at a time: when MONITOR shows this one, it has shown all
		// earlier ones.
		mark := strconv.FormatUint(rand.Uint64(), 36)
		_, err := s.Do("ECHO", mark)
		seen, found := m.until(mark)
		if !found && s.Live() {
			s.tb.Fatalf("watching redis-server: MONITOR does not show a command (%v)", err)
		}
		return slices.DeleteFunc(seen, func(c Command) bool { return c.Client == "lua" || s.isOwn(c.Client) })
	}
}

// monitor collects the output of MONITOR.
type monitor struct {
	mu    sync.Mutex
	seen  []Command
	more  chan struct{}
	ended chan struct{}
}

func (m *monitor) read(c *conn) {
	defer close(m.ended)
	for {
		line, err := c.line()
		if err != nil {
			return
		}
		if command, ok := parseCommand(line); ok {
			m.mu.Lock()
			m.seen = append(m.seen, command)
			m.mu.Unlock()
			select {
			case m.more <- struct{}{}:
			default:
			}
		}
	}
}

// until returns and removes the commands before the mark. It reports whether the mark was found.
func (m *monitor) until(mark string) (seen []Command, found bool) {
	timeout := time.After(doTimeout)
	for waiting := true; ; {
		m.mu.Lock()
		at := slices.IndexFunc(m.seen, func(c Command) bool { return slices.Equal(c.Args[1:], []string{mark}) })
		if at >= 0 || !waiting {
			end := at
			if at < 0 {
				end = len(m.seen)
			}
			seen, m.seen = slices.Clone(m.seen[:end]), m.seen[max(end, at+1):]
			m.mu.Unlock()
			return seen, at >= 0
		}
		m.mu.Unlock()
		select {
		case <-m.more:
		case <-m.ended:
			waiting = false
		case <-timeout:
			waiting = false
		}
	}
}

// parseCommand parses a line such as
//
//	1339518083.107412 [0 127.0.0.1:60866] "set" "key" "\x00"
func parseCommand(line string) (Command, bool) {
	_, line, _ = strings.Cut(line, " [")
	_, line, _ = strings.Cut(line, " ")
	client, line, _ := strings.Cut(line, "] ")
	c := Command{Client: client}
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return c, false
		}
		arg, err := strconv.Unquote(quoted)
		if err != nil {
			return c, false
		}
		c.Args = append(c.Args, arg)
		line = strings.TrimPrefix(line[len(quoted):], " ")
	}
	return c, len(c.Args) > 0
}
