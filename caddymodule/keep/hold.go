package keep

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// hold refreshes the session of a running request, so that it does not expire and can be found
// after it got a new id. The store is not kept open meanwhile: a download may take hours.
type hold struct {
	keeper   *Store
	session  *sessionstore.Session
	key      string
	request  context.Context
	interval time.Duration

	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

// hold refreshes s, which v has found or has begun, once in an interval until [Visit.LetGo].
func (k *Store) hold(v *Visit, s *sessionstore.Session, interval time.Duration) {
	h := &hold{keeper: k, session: s, key: s.Place().Key, request: v.Request.Context(), interval: interval}
	first := interval
	if !s.Loaded().IsZero() { // it may be about to expire
		first = min(first, time.Until(s.Expires())/2)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(first, h.refresh)
	v.held = h
}

func (h *hold) refresh() {
	m, err := h.keeper.acquire()
	if err == nil {
		err = m.Refresh(detached(h.request), h.session)
		h.keeper.done()
	}
	h.keeper.touched(h.session, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.timer.Reset(h.interval)
	}
}

// LetGo lets the session of the visit expire again. It is for the end of the request, and for a
// response that does not keep its session alive.
func (v *Visit) LetGo() {
	h := v.held
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.timer.Stop()
}
