package http_test

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// held is a request that the backend has received and not answered.
type held struct {
	t       *testing.T
	entered chan *http.Request
	leave   chan struct{}
	done    chan *reply
	once    sync.Once
}

// hold sends a request that waits in the backend until release, and is then answered by echo with
// these headers. It returns when the backend has it.
func (b *browser) hold(pairs ...string) *held {
	b.t.Helper()
	h := &held{t: b.t, entered: make(chan *http.Request, 1), leave: make(chan struct{}), done: make(chan *reply, 1)}
	b.t.Cleanup(h.let)
	slow := b.via(func(w http.ResponseWriter, r *http.Request) {
		h.entered <- r
		<-h.leave
		echo(w, r)
	})
	r := slow.request(http.MethodGet, ask("/", pairs...), nil)
	go func() { h.done <- slow.attempt(r) }()
	select {
	case <-h.entered:
	case <-time.After(patience):
		b.t.Fatal("the request does not reach the backend")
	}
	return h
}

func (h *held) let() { h.once.Do(func() { close(h.leave) }) }

// release makes the backend respond, and returns the response.
func (h *held) release() *reply {
	h.t.Helper()
	h.let()
	return h.reply().want(http.StatusOK)
}

func (h *held) reply() *reply {
	h.t.Helper()
	select {
	case r := <-h.done:
		if r == nil {
			h.t.Fatal("the request failed")
		}
		return r
	case <-time.After(patience):
		h.t.Fatal("no response")
	}
	return nil
}
