// Package moving keeps sessions in two stores, while they move from one to the other. Nobody is
// logged out meanwhile.
//
// # Who may run at once
//
// Each process uses the old store alone, both with Hold, both without, or the new store alone. Only
// neighbours of this row may run at once. With Hold, new records go to the old store, so that a
// process that knows no other finds them. Without it, they go to the new store, and a process moves
// there whatever it finds in the old one. The way back is the same, with the stores exchanged:
// first all processes get Hold, then the other direction. So each process has a home, where it
// creates records, and another store. With Hold the home is the old store, otherwise the new one.
//
// # Where a record is
//
// No transaction spans two stores. So each step changes one key of one store by compare-and-set,
// and a record is in one store only. Three marks may stand in its place. Each has a random token,
// so it never returns once it was replaced. None of them is a record.
//
//	claim    somebody is about to create a record here
//	copy     holds what the other store holds; if there is the gone of its token, it is the record
//	gone     the record that was here is now the copy with the same token, or has ended
//
// Moving a record takes four writes:
//
//	1 home   put the copy
//	2 other  replace the record by gone, if it is still what was copied
//	3 home   replace the copy by the record
//	4 other  delete gone
//
// Step 2 decides. Before it, the other store has the record, and whoever changes or ends it there
// wins: step 2 meets a conflict, and the copy is worth nothing. After it, the copy is the record,
// and whoever has read the old one meets a conflict. Anybody who meets the marks goes on from
// there, so a crash leaves:
//
//   - After 1, a copy. Whoever comes next takes the record over with it.
//   - After 2, a record in neither store, but the copy and gone. Whoever comes next does 3 and 4.
//   - After 3, gone. Nobody looks at it: it is deleted by 4, or expires with the record.
//
// The reasons for the copy: a process that has read the old record and then stands still must not
// put it into the new store later, when the session has moved, was changed and has ended there. It
// can only put a copy, and finds no record in step 2. Such a copy is deleted by whoever meets it.
// It may be deleted, or replaced, only if the other store has neither what it holds nor its gone.
// As the versions of records and the tokens are random, neither will be there again.
//
// The list of a user's sessions moves before the first of them does. Nobody may read it for long,
// and the old store must not keep it when all sessions have moved.
//
// A record ends in the store where it is. Where others move records away, it is replaced by gone
// first, as a delete does not tell whether there was one. If it was moved just before, that is a
// conflict.
//
// Creating a record takes three writes at most. Two processes may create the index of a user at
// once, one in each store:
//
//	1 home   put a claim
//	2 other  look: a record there is a conflict, and a claim there is deleted
//	3 home   replace the claim by the record
//
// Of two that create, one sees the claim of the other in 2, and deletes it, so that its 3 fails.
// Both may do that. Then both begin anew. A claim that a crash leaves is nothing, and expires
// within a minute.
//
// A reader looks at home, then at the other store. If there is no record, it looks at home again:
// it may have been moved in between. A mark makes it read again past near caches, whose copies may
// be older than the mark.
//
// All of this relies on values that never return, so it is for native records only. A touch may be
// lost when the record moves at that moment. While the new store is away, there are no sessions.
// While the old one is away, those that have moved go on, and all else fails. TestEverySchedule
// tries what may happen at once, and after each step.
package moving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] that consists of two. Two of the same stores are equal.
type Store struct {
	home, other side

	// takes says that records of the other store are moved home. Otherwise other processes may move
	// them away from here.
	takes bool
}

// New returns a store that moves records from one store to the other. With hold, it moves none and
// creates new ones in the old store. Close closes neither of them. If both can list their records,
// the result can too.
func New(from, to sessionstore.Store, hold bool) sessionstore.Store {
	s := Store{home: side{to, "new"}, other: side{from, "old"}, takes: true}
	if hold {
		s = Store{home: s.other, other: s.home}
	}
	_, fromWalks := from.(sessionstore.Walker)
	_, toWalks := to.(sessionstore.Walker)
	if fromWalks && toWalks {
		return walking{s}
	}
	return s
}

// Sides implements [sessionstore.Pair].
func (s Store) Sides() (from, to sessionstore.Store) {
	if s.takes {
		return s.other.Store, s.home.Store
	}
	return s.home.Store, s.other.Store
}

// Get implements [sessionstore.Store].
func (s Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	f, err := s.get(ctx, key)
	return f.Entry, err
}

// CompareAndSet implements [sessionstore.Store].
func (s Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	if old == nil {
		return s.create(ctx, key, value, ttl)
	}
	for {
		e, err := s.home.CompareAndSet(ctx, key, old, value, ttl)
		if !missed(e, err) {
			return e, err
		}
		if !s.takes {
			if e, err = s.other.CompareAndSet(ctx, key, old, value, ttl); !missed(e, err) {
				return e, err
			}
		}
		f, err := s.get(ctx, key)
		switch {
		case err != nil || is(f.Entry, value):
			return sessionstore.Entry{}, err
		case !is(f.Entry, old):
			return f.Entry, sessionstore.ErrConflict
		}
	}
}

// missed reports whether a compare-and-set has found no record, so that it may be elsewhere.
func missed(e sessionstore.Entry, err error) bool {
	return errors.Is(err, sessionstore.ErrConflict) && !record(e)
}

// create creates a record at home.
func (s Store) create(ctx context.Context, key string, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	var base []byte
	for {
		claim := newMark(kindClaim, nil)
		e, err := s.home.CompareAndSet(ctx, key, base, claim, min(ttl, claimed))
		if err == nil {
			e, err = s.confirm(ctx, key, claim, value, ttl)
		}
		if missed(e, err) {
			var f found
			f, err = s.settle(ctx, key)
			if err == nil && !f.Found() {
				base = f.base
				continue
			}
			if e = f.Entry; err == nil {
				err = sessionstore.ErrConflict
			}
		}
		if errors.Is(err, sessionstore.ErrConflict) && is(e, value) {
			return sessionstore.Entry{}, nil // an attempt has succeeded whose answer was lost
		}
		return e, err
	}
}

// confirm replaces the claim by the record, if the other store has none.
func (s Store) confirm(ctx context.Context, key string, claim, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	o, err := s.other.Get(ctx, key)
	if err == nil && o.Found() && !record(o) {
		o, err = s.other.fresh(ctx, key)
	}
	switch {
	case err != nil:
	case record(o):
		err = sessionstore.ErrConflict
	case kindOf(o) == kindCopy:
		return sessionstore.Entry{}, sessionstore.ErrConflict // to be settled
	case kindOf(o) == kindClaim:
		o, err = s.other.CompareAndDelete(ctx, key, o.Value)
	}
	if err != nil {
		_, _ = s.home.CompareAndDelete(ctx, key, claim)
		return o, err
	}
	return s.home.CompareAndSet(ctx, key, claim, value, ttl)
}

// CompareAndDelete implements [sessionstore.Store].
func (s Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	for {
		f, err := s.get(ctx, key)
		switch {
		case err != nil || !f.Found():
			return sessionstore.Entry{}, err
		case !is(f.Entry, old):
			return f.Entry, sessionstore.ErrConflict
		}
		var e sessionstore.Entry
		if s.takes {
			e, err = f.at.CompareAndDelete(ctx, key, old)
		} else {
			gone := newMark(kindGone, nil)
			if e, err = f.at.CompareAndSet(ctx, key, old, gone, claimed); err == nil {
				_, _ = f.at.CompareAndDelete(ctx, key, gone)
			}
		}
		if !missed(e, err) {
			return e, err
		}
	}
}

// Touch implements [sessionstore.Store].
func (s Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	f, err := s.get(ctx, key)
	if err != nil || !is(f.Entry, old) {
		return err
	}
	return f.at.Touch(ctx, key, old, ttl)
}

// Close implements [sessionstore.Store]. Both stores stay open.
func (s Store) Close() error { return nil }

// side is one of the two stores. Its errors say which.
type side struct {
	sessionstore.Store
	name string
}

func (s side) named(err error) error {
	if err == nil || errors.Is(err, sessionstore.ErrConflict) {
		return err
	}
	return fmt.Errorf("the %s store: %w", s.name, err)
}

func (s side) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	e, err := s.Store.Get(ctx, key)
	return e, s.named(err)
}

func (s side) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	e, err := s.Store.CompareAndSet(ctx, key, old, value, max(ttl, time.Millisecond))
	return e, s.named(err)
}

func (s side) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	e, err := s.Store.CompareAndDelete(ctx, key, old)
	return e, s.named(err)
}

func (s side) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	return s.named(s.Store.Touch(ctx, key, old, ttl))
}

// fresh reads past a near cache: a delete that must fail reports what is there.
func (s side) fresh(ctx context.Context, key string) (sessionstore.Entry, error) {
	e, err := s.CompareAndDelete(ctx, key, newMark(kindNone, nil))
	if errors.Is(err, sessionstore.ErrConflict) {
		err = nil
	}
	return e, err
}
