package parts

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Control forwards facts about the session in one header: whether it exists, its ref, when it began
// and when it ends. With another header, the app ends the session, gives it a new id and so on.
type Control struct {
	// Info and Header are the names of the two headers.
	Info, Header string
}

const (
	infoAnonymous   = "exists=?0"
	infoUnavailable = "exists=?0, unavailable"
	infoTooLarge    = ", too-large"
)

// Forward implements [Part].
func (p *Control) Forward(v *View, to *Forwarded) error {
	text := infoAnonymous
	switch {
	case v.Session.Exists():
		text = info(v.Session)
	case v.Unavailable:
		text = infoUnavailable
	}
	if v.Omits >= OmitData {
		text += infoTooLarge
	}
	to.Header(p.Info, text)
	return nil
}

// info returns the RFC 9651 dictionary that describes a session. It has no created if the dialect
// does not record that.
func info(s *sessionstore.Session) string {
	b := make([]byte, 0, len(`exists, ref="", created=@, expires=@`)+len(s.Ref())+2*len("1795318769"))
	b = append(b, `exists, ref="`...)
	b = append(b, s.Ref()...)
	b = append(b, '"')
	if created := s.Created(); !created.IsZero() {
		b = append(b, `, created=@`...)
		b = strconv.AppendInt(b, created.Unix(), 10)
	}
	b = append(b, `, expires=@`...)
	b = strconv.AppendInt(b, s.Expires().Unix(), 10)
	return string(b)
}

// Takes implements [Part].
func (p *Control) Takes() string { return p.Header }

// Take implements [Part].
func (p *Control) Take(v *View, lines []string, a *Answer) error {
	if err := readControl(lines, &a.Change); err != nil {
		return fmt.Errorf("%s: %w", p.Header, err)
	}
	if v.Omits >= OmitData {
		a.Change.FlashSeen = false // the app did not get the messages
	}
	return nil
}

// readControl reads the RFC 9651 dictionary of the control header.
func readControl(lines []string, change *sessionstore.Change) error {
	if len(lines) == 0 {
		return nil
	}
	for _, line := range lines {
		if len(line) > maxLine {
			return sessionstore.ErrTooLarge
		}
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return fmt.Errorf("%w: not an RFC 9651 dictionary", sessionstore.ErrInvalid)
	}
	for _, name := range dict.Names() {
		read, known := controls[name]
		if !known {
			return fmt.Errorf("%w: unknown member %.40q; known are %s", sessionstore.ErrInvalid, name, strings.Join(slices.Sorted(maps.Keys(controls)), ", "))
		}
		if member, _ := dict.Get(name); !read(member, change) {
			return fmt.Errorf("%w: %s has an invalid value", sessionstore.ErrInvalid, name)
		}
	}
	return nil
}

// controls are the members of the control header. Each function adds its member to a change, and
// reports false for an invalid value.
var controls = map[string]func(httpsfv.Member, *sessionstore.Change) bool{
	"regenerate": func(m httpsfv.Member, c *sessionstore.Change) (ok bool) {
		c.Regenerate, ok = boolean(m)
		return ok
	},
	"destroy": func(m httpsfv.Member, c *sessionstore.Change) bool {
		destroy, ok := boolean(m)
		c.Destroy = c.Destroy || destroy
		return ok
	},
	"end-others": func(m httpsfv.Member, c *sessionstore.Change) bool {
		end, ok := boolean(m)
		c.EndOthers = c.EndOthers || end
		return ok
	},
	"end-all": func(m httpsfv.Member, c *sessionstore.Change) bool {
		end, ok := boolean(m)
		c.EndOthers, c.Destroy = c.EndOthers || end, c.Destroy || end
		return ok
	},
	"permanent": func(m httpsfv.Member, c *sessionstore.Change) bool {
		permanent, ok := boolean(m)
		c.Permanent = &permanent
		return ok
	},
	"flash-seen":   readFlashSeen,
	"idle-timeout": readIdleTimeout,
}

func boolean(m httpsfv.Member) (value, ok bool) {
	item, isItem := m.(httpsfv.Item)
	if !isItem {
		return false, false
	}
	value, ok = item.Value.(bool)
	return value, ok
}

func readFlashSeen(m httpsfv.Member, change *sessionstore.Change) bool {
	list, isList := m.(httpsfv.InnerList)
	if !isList {
		var ok bool
		change.FlashSeen, ok = boolean(m)
		return ok
	}
	change.FlashSeen, change.FlashCategories = true, []string{}
	for _, item := range list.Items {
		category, ok := item.Value.(string)
		if display, is := item.Value.(httpsfv.DisplayString); is { // for what is not ASCII
			category, ok = string(display), true
		}
		if !ok {
			return false
		}
		change.FlashCategories = append(change.FlashCategories, category)
	}
	return true
}

// maxIdleSeconds prevents an overflow of time.Duration.
const maxIdleSeconds = int64(1<<63-1) / int64(time.Second)

func readIdleTimeout(m httpsfv.Member, change *sessionstore.Change) bool {
	if on, isBool := boolean(m); isBool {
		change.IdleTimeout = new(time.Duration)
		return !on
	}
	item, isItem := m.(httpsfv.Item)
	if !isItem {
		return false
	}
	seconds, isInt := item.Value.(int64)
	if !isInt || seconds < 1 {
		return false
	}
	timeout := time.Duration(min(seconds, maxIdleSeconds)) * time.Second
	change.IdleTimeout = &timeout
	return true
}

// Interface guard
var _ Part = (*Control)(nil)
