package sessionstore

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// Scope says for which site a session counts. A session of another scope counts as missing, so two
// sites that share a store and a secret do not accept each other's cookies.
type Scope struct {
	// Site is fixed by the configuration. It must not hold a "|".
	Site string

	// Host is the host that the request names, where the cookie is bound to that host.
	Host string
}

const scopeSeparator = "|"

// String returns the form in which a record carries the scope.
func (s Scope) String() string { return s.Site + scopeSeparator + s.Host }

// is compares without building the string: this runs for every request.
func (s Scope) is(text string) bool {
	site, found := strings.CutSuffix(text, s.Host)
	if !found {
		return false
	}
	site, found = strings.CutSuffix(site, scopeSeparator)
	return found && site == s.Site
}

// ParseScope reads what [Scope.String] returns.
func ParseScope(text string) Scope {
	site, host, _ := strings.Cut(text, scopeSeparator)
	return Scope{Site: site, Host: host}
}

// Session is a session as a request finds it. The zero value is anonymous, as is every session that
// does not exist: a change to it begins a new one. No method of [Manager] changes a session that it
// is given.
type Session struct {
	// Scope is the scope that was asked for, and that a new session gets.
	Scope Scope

	// NoCookie says that the client cannot be given a cookie, so that a change that needs one is
	// refused with [ErrNeedsCookie].
	NoCookie bool

	// Client is who uses the session, for [Options.RememberClient]: see [NewClient].
	Client Client

	touchDue bool

	// later says that the session is one of [Later].
	later bool

	// unsaved says that the stored record has another creation time or UserField.
	unsaved bool

	// outdated says that the record has another CookieMark than the options.
	outdated bool

	// browserNew says that the client has sent the token of the record for the first time.
	browserNew bool

	// absence is valid if there is no session.
	absence Absence

	id    string
	ref   string
	key   string
	entry Entry
	rec   Record

	// idleLeft is how long the session would go on living if nobody used it any more.
	idleLeft time.Duration
	loaded   time.Time
	absolute time.Duration
}

// Exists reports whether there is a session.
func (s *Session) Exists() bool { return s.later || s.entry.Found() }

// Absence says why there is no session.
type Absence uint8

// The reasons. Most stores delete records that have expired, so [Missing] does not mean that there
// never was a session.
const (
	// Missing means that there is no record.
	Missing Absence = iota
	// Over means that the record's time is over, that a change has emptied it, or that it was
	// replaced by one with a new id.
	Over
	// OtherScope means that the record counts for another site.
	OtherScope
)

// Absence says why [Manager.Load] or [Manager.Unpack] found no session.
func (s *Session) Absence() Absence { return s.absence }

// Ref names the session: see the function [Ref]. It is empty if there is none.
func (s *Session) Ref() string { return s.ref }

// Loaded is when the session was loaded. It is zero if there is none.
func (s *Session) Loaded() time.Time { return s.loaded }

// Created is when the session began. It is zero if the format does not say it.
func (s *Session) Created() time.Time { return s.rec.Created }

// Expires is when the session will have ended if nobody uses it any more.
func (s *Session) Expires() time.Time {
	idle, absolute := s.loaded.Add(s.idleLeft), s.AbsoluteEnd()
	if !absolute.IsZero() && absolute.Before(idle) {
		return absolute
	}
	return idle
}

// AbsoluteEnd is when the session will have ended in any case. It is zero for a session in another
// program's format: see [ForeignCodec].
func (s *Session) AbsoluteEnd() time.Time { return absoluteEnd(&s.rec, s.absolute) }

func absoluteEnd(rec *Record, absolute time.Duration) time.Time {
	if rec.Created.IsZero() {
		return time.Time{}
	}
	return rec.Created.Add(absolute)
}

// CookieEnd is when a permanent cookie ends that is set now: with the absolute timeout, or, in
// another program's format, an idle timeout from now.
func (s *Session) CookieEnd() time.Time { return cookieEnd(&s.rec, s.absolute, s.loaded) }

func cookieEnd(rec *Record, absolute time.Duration, now time.Time) time.Time {
	if rec.Created.IsZero() {
		return now.Add(rec.Idle)
	}
	return rec.Created.Add(absolute)
}

// Permanent reports whether the session outlives the browser.
func (s *Session) Permanent() bool { return s.rec.Permanent }

// Lasts reports whether the session's cookie outlives the browser: because the session is
// permanent, or because the vault holds lasting cookies.
func (s *Session) Lasts() bool { return s.rec.lasts() }

// Browser returns the token for a second cookie, which ends with the browser. It is empty if none
// is needed.
func (s *Session) Browser() string { return s.rec.Browser }

// User returns who has logged in, or nothing: see [Options.User].
func (s *Session) User() string { return s.rec.User }

// Data returns the session's data, a JSON object in ASCII: "{}" if there is none.
func (s *Session) Data() string {
	if !s.Exists() {
		return "{}"
	}
	return borrow(s.rec.Data)
}

// Get returns a field of the data, a dotted path as [ParseField] reads it: a string, [json.Number],
// bool, []any or map[string]any, and nil if there is none.
func (s *Session) Get(field string) any {
	path, err := ParseField(field)
	if err != nil {
		return nil
	}
	data, err := jsondoc.Parse(s.Data(), jsondoc.MaxDepth)
	if err != nil {
		return nil
	}
	value, _ := data.Lookup(path)
	return value.Native()
}

// Decode stores the data in what v points to, as [json.Unmarshal] does.
func (s *Session) Decode(v any) error { return json.Unmarshal([]byte(s.Data()), v) }

// Flash returns the waiting messages, a JSON array of ["category","message"], or nothing if none
// wait.
func (s *Session) Flash() string { return borrow(shown(s.rec.Flash)) }

// Flashes returns the waiting messages. An error wraps [ErrRecord].
func (s *Session) Flashes() ([]Flash, error) { return ParseFlashes(s.rec.Flash) }

// Former reports whether the session has a successor under another id. A client must not get this
// one's cookie any more: it could replace the successor's.
func (s *Session) Former() bool { return s.rec.Gen > 0 }

// FirstUse reports whether this is the first request with the session's id, or with its
// [Session.Browser]. If it saves no change, it must call [Manager.Touch]: otherwise every later
// request takes longer.
func (s *Session) FirstUse() bool { return s.rec.Pred != "" || s.browserNew }

// CookieOutdated reports whether the client's cookie was set under another [Options.CookieMark],
// and may be set again. A commit that saves a change saves the present mark too. After a response
// that sets the cookie and saves no change, call [Manager.TouchGiven].
func (s *Session) CookieOutdated() bool {
	return s.Exists() && s.outdated && !s.NoCookie && !s.Former()
}

// forget makes s anonymous.
func (s *Session) forget() {
	*s = Session{Scope: s.Scope, NoCookie: s.NoCookie, Client: s.Client, absence: s.absence}
}
