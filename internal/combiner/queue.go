package combiner

import "errors"

// errLead tells a waiter to run the next batch.
var errLead = errors.New("lead")

// waiter is an item in the queue and the goroutine that waits for it. What is
// here belongs to the combiner's lock, but for wake.
type waiter[T any] struct {
	item       T
	prev, next *waiter[T]
	taken      bool // out of the queue and in a batch
	leads      bool // told to run the next batch

	// wake brings the end of the batch or errLead. Never both, so that one place
	// is enough for whoever sends not to wait, even when nobody listens anymore.
	wake chan error
}

// queue is linked both ways, so that leaving it costs the same from any place.
type queue[T any] struct {
	first, last *waiter[T]
	len         int
}

func (q *queue[T]) push(w *waiter[T]) {
	w.prev = q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.len++
}

func (q *queue[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	q.len--
}
