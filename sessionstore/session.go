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

	// Host is the host of the request, if the cookie belongs to that host only.
	Host string
}

const scopeSeparator = "|"

// String returns the text that a record contains.
func (s Scope) String() string { return s.Site + scopeSeparator + s.Host }

// is reports whether text is the String of the scope.
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

// Session is a session as it was when it was loaded. The zero value does not exist, and a change of
// such a session begins a new one. The methods of [Manager] do not change their sessions.
type Session struct {
	// Scope is the scope that was asked for, and that a new session gets.
	Scope Scope

	// NoCookie says that no cookie can be set. A change that needs one is then refused with
	// [ErrNeedsCookie].
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

	// browserNew says that the client has sent the record's Browser for the first time.
	browserNew bool

	// absence is valid if there is no session.
	absence Absence

	id    string
	ref   string
	key   string
	entry Entry
	rec   Record

	// idleLeft is how long the session lives on if nobody uses it.
	idleLeft time.Duration
	loaded   time.Time
	absolute time.Duration
}

// Exists reports whether there is a session.
func (s *Session) Exists() bool { return s.later || s.entry.Found() }

// Absence says why there is no session.
type Absence uint8

// The reasons. Most stores delete expired records, so [Missing] does not mean that there never was
// a session.
const (
	// Missing means that there is no record.
	Missing Absence = iota
	// Over means that the record's time is over, that a change has emptied it, or that it was
	// replaced by one with a new id.
	Over
	// OtherScope means that the record is of another scope.
	OtherScope
)

// Absence says why [Manager.Load] or [Manager.Unpack] found no session.
func (s *Session) Absence() Absence { return s.absence }

// Ref names the session: see the function [Ref]. It is empty if there is none.
func (s *Session) Ref() string { return s.ref }

// Loaded is when the session was loaded. It is zero if there is none.
func (s *Session) Loaded() time.Time { return s.loaded }

// Created is when the session began. It is zero if the format of the record does not contain it.
func (s *Session) Created() time.Time { return s.rec.Created }

// Expires is when the session ends if nobody uses it.
func (s *Session) Expires() time.Time {
	idle, absolute := s.loaded.Add(s.idleLeft), s.AbsoluteEnd()
	if !absolute.IsZero() && absolute.Before(idle) {
		return absolute
	}
	return idle
}

// AbsoluteEnd is when the session ends even if it is used. It is zero in another program's format:
// see [ForeignCodec].
func (s *Session) AbsoluteEnd() time.Time { return absoluteEnd(&s.rec, s.absolute) }

func absoluteEnd(rec *Record, absolute time.Duration) time.Time {
	if rec.Created.IsZero() {
		return time.Time{}
	}
	return rec.Created.Add(absolute)
}

// CookieEnd is when a permanent cookie that is set now must end: with the absolute timeout or, in
// another program's format, after the idle timeout.
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

// Data returns the session's data, a JSON object in ASCII. It is "{}" if there is no session.
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

// Flash returns the waiting messages, a JSON array of ["category","message"], or "" if there are
// none.
func (s *Session) Flash() string { return borrow(shown(s.rec.Flash)) }

// Flashes returns the waiting messages. An error wraps [ErrRecord].
func (s *Session) Flashes() ([]Flash, error) { return ParseFlashes(s.rec.Flash) }

// Former reports whether the session has a successor with another id. A client must not get the
// cookie of this session any more: it could replace that of the successor.
func (s *Session) Former() bool { return s.rec.Gen > 0 }

// FirstUse reports whether this is the first request with the session's id, or with its
// [Session.Browser]. A request that saves no change must then call [Manager.Touch]: otherwise every
// later request takes longer.
func (s *Session) FirstUse() bool { return s.rec.Pred != "" || s.browserNew }

// CookieOutdated reports whether the client's cookie was set with another [Options.CookieMark] and
// may be set again. A commit that saves a change saves the present mark too. After a response that
// sets the cookie and saves no change, call [Manager.TouchGiven].
func (s *Session) CookieOutdated() bool {
	return s.Exists() && s.outdated && !s.NoCookie && !s.Former()
}

// forget makes s a session that does not exist.
func (s *Session) forget() {
	*s = Session{Scope: s.Scope, NoCookie: s.NoCookie, Client: s.Client, absence: s.absence}
}
