package combiner

import "errors"

// errLead tells a waiter to run the next batch.
var errLead = errors.New("lead")

// waiter is an item in the queue with its caller. The combiner's lock protects all fields but wake.
type waiter[T any] struct {
	item       T
	prev, next *waiter[T]
	taken      bool // in a batch, no longer in the queue
	leads      bool // told to run the next batch

	// wake receives the result of the batch or errLead, never both. So a buffer of one is enough
	// for the sender not to block, even if the caller has gone.
	wake chan error
}

// queue is a doubly linked list, so that a waiter can leave from any place at the same cost.
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
