package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// How a session with cookies in its vault ages, as the cookies of a browser do.
//
// A cookie that outlives the browser, such as one of "remember me", must not end with the session's
// idle timeout. While the vault holds one, the session's cookie outlives the browser too, and the
// record is kept for longer than the idle timeout (Keep). Nothing else lives longer: when the idle
// timeout is over, or the browser was closed, everything but the lasting cookies is removed from
// the record before it is used.
//
// A second session cookie ends with the browser. While the client sends it, the browser was not
// closed. It contains a random token of the record (Browser), and not a plain flag: a thief who
// reads the lasting cookies of a closed browser on its disk must not get what has ended. Its
// absence counts only after the client has sent it once (BrowserSeen), as the response that sets it
// may be lost, and requests may be under way.

// lasts reports whether the session's cookie outlives the browser.
func (r *Record) lasts() bool { return r.Permanent || r.Browser != "" }

// kept is how long the store keeps a live record after its last use.
func (r *Record) kept() time.Duration { return max(r.Idle, r.Keep) }

// age updates the fields of a record about its lasting cookies.
func (m *Manager) age(rec *Record) {
	if len(rec.Vault) == 0 && rec.Browser == "" {
		return
	}
	v, err := openVault(rec.Vault)
	if err != nil {
		return // the code that needs the cookies reports the error
	}
	now := m.opts.Now()
	_, end := v.Lasting(now)
	rec.Keep = 0
	if latest := rec.Created.Add(m.opts.AbsoluteTimeout); end.After(latest) {
		end = latest
	}
	if keep := end.Sub(now).Truncate(time.Millisecond); keep > rec.Idle {
		rec.Keep = keep
	}
	switch {
	case end.IsZero() || rec.Permanent:
		rec.Browser, rec.BrowserSeen = "", false
	case rec.Browser == "":
		rec.Browser = NewID()
	}
}

// renew removes from s, whose record is under key, what has ended with the idle timeout or with the
// browser. It reports whether anything is left. closed reports that the client has not sent the
// record's token.
func (m *Manager) renew(ctx context.Context, key string, s *Session, closed func(*Record) bool) (live bool, err error) {
	for live = true; live && err == nil; {
		rec := &s.rec
		if s.idleLeft > 0 && (rec.Browser == "" || !closed(rec)) {
			return true, nil
		}
		next, end, err := m.rest(rec, s.loaded)
		if err != nil {
			return false, fmt.Errorf("loading session: %w", err)
		}
		if end.IsZero() {
			return false, nil
		}
		found, err := m.put(ctx, key, s.entry.Value, &next)
		if err != nil && !errors.Is(err, ErrConflict) {
			return false, fmt.Errorf("loading session: %w", err)
		}
		live, err = m.read(s, found)
		if err != nil {
			return false, err
		}
	}
	return live, err
}

// rest returns what is left of a session whose idle timeout is over, or whose browser was closed:
// its lasting cookies. end is when the last of them ends, or zero if there are none.
func (m *Manager) rest(rec *Record, now time.Time) (next Record, end time.Time, err error) {
	v, err := openVault(rec.Vault)
	if err != nil {
		return next, end, err
	}
	v, end = v.Lasting(now)
	next = *rec
	next.Data, next.Flash, next.Vault = emptyObject, nil, v.Encode()
	next.User, next.OwnIdle = "", false
	next.Idle = m.idle(&next)
	next.Browser, next.BrowserSeen = "", false
	m.age(&next)
	return next, end, nil
}

// hasRest reports whether something may be left of a live record when its idle timeout is over.
func (r *Record) hasRest() bool { return r.Keep > 0 && r.Until.IsZero() }

// closedFor returns a function that reports whether a client that sends these tokens has closed its
// browser since it got the record's token.
func closedFor(tokens []string) func(*Record) bool {
	return func(rec *Record) bool { return rec.BrowserSeen && !slices.Contains(tokens, rec.Browser) }
}

func neverClosed(*Record) bool { return false }
