package moving

import (
	"bytes"
	"context"
	"errors"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// found is a record and the store that it is in. If there is none, the entry is the zero Entry.
type found struct {
	sessionstore.Entry
	at side

	// base is what is at home in the place of a record. It may be a mark.
	base []byte
}

// get finds the record under key, and moves it home if it is to be moved.
func (s Store) get(ctx context.Context, key string) (found, error) {
	f, err := s.find(ctx, key)
	for err == nil && s.takes && f.Found() && f.at.name != s.home.name {
		if err = s.take(ctx, key, f); err == nil {
			return found{Entry: f.Entry, at: s.home}, nil
		}
		if errors.Is(err, sessionstore.ErrConflict) {
			f, err = s.settle(ctx, key)
		}
	}
	return f, err
}

// find finds the record under key. It changes nothing if there are no marks.
func (s Store) find(ctx context.Context, key string) (found, error) {
	h, err := s.home.Get(ctx, key)
	if err != nil || record(h) {
		return found{Entry: h, at: s.home}, err
	}
	o, err := s.other.Get(ctx, key)
	if err != nil {
		return found{}, err
	}
	if !h.Found() {
		if record(o) {
			return found{Entry: o, at: s.other}, nil
		}
		if !o.Found() {
			if h, err = s.home.Get(ctx, key); err != nil || !h.Found() || record(h) {
				return found{Entry: h, at: s.home}, err
			}
		}
	}
	return s.settle(ctx, key)
}

// settle finds the record under key where there are marks. It finishes what it finds half done.
func (s Store) settle(ctx context.Context, key string) (found, error) {
	for {
		h, err := s.home.fresh(ctx, key)
		if err != nil || record(h) {
			return found{Entry: h, at: s.home}, err
		}
		o, err := s.other.fresh(ctx, key)
		if err != nil {
			return found{}, err
		}
		again := true
		switch {
		case kindOf(h) == kindCopy && !is(o, content(h.Value)):
			err = s.resolve(ctx, key, s.home, s.other, h, o)
		case record(o):
			return found{Entry: o, at: s.other, base: h.Value}, nil
		case kindOf(o) == kindCopy:
			// It was read after h, which may have become a record or gone since.
			if h, err = s.home.fresh(ctx, key); err == nil && !is(h, content(o.Value)) {
				err = s.resolve(ctx, key, s.other, s.home, o, h)
			}
		default:
			was := h.Value
			h, err = s.home.fresh(ctx, key)
			again = !bytes.Equal(h.Value, was) || h.Found() != (was != nil)
		}
		if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
			return found{}, err
		}
		if !again {
			return found{base: h.Value}, nil
		}
	}
}

// resolve decides what a copy at a side is, whose content the opposite side does not have: the
// record if that has gone there, else nothing. o was read after the copy.
func (s Store) resolve(ctx context.Context, key string, at, opposite side, c, o sessionstore.Entry) error {
	if is(o, goneTo(c.Value)) {
		return finish(ctx, key, at, opposite, c)
	}
	_, err := at.CompareAndDelete(ctx, key, c.Value)
	return err
}

// take moves a record from the other store home: see the documentation of the package. It returns
// [sessionstore.ErrConflict] if somebody was faster.
func (s Store) take(ctx context.Context, key string, f found) (err error) {
	if index := sessionstore.IndexOf(f.Value); index != "" {
		if _, err = s.get(ctx, index); err != nil {
			return err
		}
	}
	c := sessionstore.Entry{Value: f.base, TTL: f.TTL}
	if kindOf(c) == kindCopy && bytes.Equal(content(c.Value), f.Value) {
		// It may be old. It must not expire before it is the record.
		if err = s.home.Touch(ctx, key, c.Value, f.TTL); err != nil {
			return err
		}
	} else {
		c.Value = newMark(kindCopy, f.Value)
		if _, err = s.home.CompareAndSet(ctx, key, f.base, c.Value, f.TTL); err != nil {
			return err
		}
	}
	if _, err = s.other.CompareAndSet(ctx, key, f.Value, goneTo(c.Value), f.TTL); err != nil {
		return err
	}
	return finish(ctx, key, s.home, s.other, c)
}

// finish makes a record of a copy, whose original has gone from the opposite side.
func finish(ctx context.Context, key string, at, opposite side, c sessionstore.Entry) error {
	if _, err := at.CompareAndSet(ctx, key, c.Value, content(c.Value), c.TTL); err != nil {
		return err
	}
	// The mark says nothing any more. If it stays, it expires.
	_, _ = opposite.CompareAndDelete(ctx, key, goneTo(c.Value))
	return nil
}
