package sessionstore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestARecordThatCannotBeReadIsNeverOverwritten: nor deleted, nor taken for no session.
func TestARecordThatCannotBeReadIsNeverOverwritten(t *testing.T) {
	for name, value := range unreadable(t) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			id := r.begin(update(`{"a":1}`))
			s := r.exists(id) // it was damaged afterwards
			r.plant(id, value, time.Hour)
			intact := func(what string) {
				t.Helper()
				if e := r.entry(id); !bytes.Equal(e.Value, value) || e.TTL > time.Hour {
					t.Errorf("%s: it was overwritten", what)
				}
			}
			found, err := r.Load(t.Context(), id, here)
			if !errors.Is(err, sessionstore.ErrRecord) || found.Exists() || found.Data() != "{}" {
				t.Errorf("loading: %v", err)
			}
			intact("load")
			for what, parts := range map[string][]part{
				"change":     {update(`{"b":1}`)},
				"regenerate": {regenerate},
				"empty":      {update(`{"a":null}`)},
				"destroy":    {destroy},
			} {
				r.refuse(sessionstore.ErrRecord, s, parts...)
				intact(what)
			}
			r.refuse(sessionstore.ErrRecord, s, destroy, update(`{"b":1}`))
			intact("destroy with data")
			if err := r.Touch(t.Context(), s); err != nil {
				t.Errorf("touching: %v", err)
			}
			intact("touch")
			if err := r.Refresh(t.Context(), s); !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("refreshing: %v", err)
			}
			other := r.another(sessionstore.Options{IdleTimeout: time.Hour})
			if err := other.Touch(t.Context(), s); err != nil {
				t.Errorf("touching with another configuration: %v", err)
			}
			intact("touch with another configuration")
			// What was written first is taken back.
			keys := 0
			for key := range r.ledger.keys {
				if e, _ := r.ledger.Get(t.Context(), key); e.Found() {
					keys++
				}
			}
			if keys != 1 {
				t.Errorf("%d records", keys)
			}
		})
	}
}

func TestASuccessorThatCannotBeRead(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	live := r.exists(id)
	newID := r.do(r.exists(id), regenerate).ID
	value := []byte(`{"from":"another program"}`)
	r.plant(newID, value, time.Hour)
	if s, err := r.Load(t.Context(), newID, here); !errors.Is(err, sessionstore.ErrRecord) || s.Exists() {
		t.Errorf("loading: %v", err)
	}
	if err := r.Refresh(t.Context(), live); !errors.Is(err, sessionstore.ErrRecord) {
		t.Errorf("refreshing: %v", err)
	}
	for _, parts := range [][]part{{update(`{"b":1}`)}, {destroy}, {destroy, update(`{"b":1}`)}} {
		r.refuse(sessionstore.ErrRecord, live, parts...)
	}
	if !bytes.Equal(r.entry(newID).Value, value) {
		t.Error("it was overwritten")
	}
}

// TestDataThatAreNoJSON have a right checksum: another version, or another program with our format,
// wrote them. They are forwarded as they are, but never built upon.
func TestDataThatAreNoJSON(t *testing.T) {
	for name, rec := range map[string]sessionstore.Record{
		"data":          {Data: []byte(`{"a":`)},
		"duplicate key": {Data: []byte(`{"a":1,"a":2}`)},
		"no object":     {Data: []byte(`[1]`)},
		"messages":      {Data: []byte(`{"a":1}`), Flash: []byte(`[["a"]]`)},
		"a message":     {Data: []byte(`{"a":1}`), Flash: []byte(`"a"`)},
	} {
		r := newRig(t, sessionstore.Options{})
		id := sessionstore.NewID()
		rec.Created, rec.Idle, rec.Scope = time.Now(), time.Hour, here.String()
		value := r.encode(rec)
		r.plant(id, value, time.Hour)
		s := r.exists(id)
		out, err := r.try(s, update(`{"b":1}`), flash(`"x"`), seen)
		if name == "no object" && err == nil {
			// A merge patch makes an object of anything.
			continue
		}
		if !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if !bytes.Equal(r.entry(id).Value, value) {
			t.Errorf("%s: it was overwritten", name)
		}
		r.do(s, destroy)
		r.gone(id)
	}
}
