package sessionstore

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time of its own, as context.WithDeadline's,
// but makes its timer only for those who wait on Done. A store that answers
// from memory never does, so the read path pays for no timer.
type deadline struct {
	context.Context
	at time.Time

	mu  sync.Mutex
	err error // the first that was seen: it stays

	// done and timer serve those who wait, where the context above never ends: a commit's. Under another,
	// timed does, which costs several times that.
	done   chan struct{}
	timer  *time.Timer
	timed  context.Context
	cancel context.CancelFunc
}

func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.timed != nil:
		return d.timed.Done()
	case d.done != nil:
		return d.done
	case d.Context.Done() != nil:
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
		return d.timed.Done()
	}
	d.done = make(chan struct{})
	if d.err != nil {
		close(d.done)
	} else {
		d.timer = time.AfterFunc(time.Until(d.at), func() { d.end(context.DeadlineExceeded) })
	}
	return d.done
}

// end ends the context for those who wait on done.
func (d *deadline) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setErr(err)
}

// setErr is end with mu held.
func (d *deadline) setErr(err error) {
	if d.err != nil {
		return
	}
	d.err = err
	if d.done != nil {
		d.timer.Stop()
		close(d.done)
	}
}

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		switch {
		case d.timed != nil:
			d.err = d.timed.Err()
		case d.Context.Err() != nil:
			d.err = d.Context.Err()
		case time.Until(d.at) <= 0:
			d.setErr(context.DeadlineExceeded)
		}
	}
	return d.err
}

// stop gives the timer back, if there is one. The context must not be used afterwards.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.cancel != nil:
		d.cancel()
	case d.done != nil:
		d.setErr(context.Canceled)
	}
}
