package sessionstore

import (
	"fmt"
	"time"
)

// Unpack returns the session in a value that the client itself keeps, in the format of a
// [ForeignCodec]. age is how old the value is. If it has expired, the session does not exist.
// Errors wrap [ErrRecord].
//
// [Manager.Pack] changes such a session. There is no store to compare with, so parallel changes
// overwrite each other. A session that has ended returns with its old value until that expires.
func (m *Manager) Unpack(value []byte, age time.Duration) (*Session, error) {
	s := new(Session)
	left := m.opts.IdleTimeout - max(age, 0)
	if left <= 0 {
		s.absence = Over
		return s, nil
	}
	live, err := m.read(s, Entry{Value: value, TTL: left})
	if err != nil || !live {
		s.forget()
		return s, err
	}
	s.ref = Ref(string(value))
	return s, nil
}

// Pack changes a session of [Manager.Unpack], or begins one. If the outcome says [CookieSet], it
// returns the value that the client must keep. There are no ids. Errors wrap [ErrInvalid] or
// [ErrRecord].
func (m *Manager) Pack(s *Session, c *Change) (Outcome, []byte, error) {
	out, value, err := m.pack(s, c)
	if err != nil {
		return Outcome{Ref: s.ref}, nil, fmt.Errorf("saving session: %w", err)
	}
	return out, value, nil
}

func (m *Manager) pack(s *Session, c *Change) (Outcome, []byte, error) {
	if c.Empty() {
		return Outcome{Ref: s.ref}, nil, nil
	}
	if c.EndOthers {
		return Outcome{}, nil, errNoOthers
	}
	rec, existed := m.born(s.Scope), s.Exists()
	if existed && !c.Destroy {
		rec = s.rec
	}
	edits := *c
	edits.FlashSeen = edits.FlashSeen && !c.Destroy
	a, err := m.apply(&rec, &edits, s.rec.Flash)
	if err != nil {
		return Outcome{}, nil, err
	}
	out := Outcome{Ref: s.ref}
	var value []byte
	switch {
	case a.next.State == Ended:
		if existed || c.Destroy {
			out = Outcome{Result: Saved, Cookie: CookieExpired}
		}
	case existed && !a.changed && !c.Destroy, !existed && !c.fills():
	default:
		if value, err = m.opts.Codec.Encode(&a.next); err != nil {
			return Outcome{}, nil, err
		}
		out = Outcome{
			Result: Saved, Cookie: CookieSet, Ref: Ref(string(value)),
			Permanent: a.next.Permanent, CookieEnd: m.cookieEnd(&a.next),
		}
	}
	if out.Cookie != CookieKept && s.NoCookie {
		return Outcome{}, nil, ErrNeedsCookie
	}
	return out, value, nil
}
