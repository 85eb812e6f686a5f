package caddymodule

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dunglas/httpsfv"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

// maxLines is how many header lines of ours a response may have.
const maxLines = 64

// maxLine is how long such a line may be, in bytes.
const maxLine = sessionstore.MaxRecord

// collected are the lines of a response that are meant for us.
type collected struct {
	update, flash, control []string
	captured               [][]string

	// adopted are the Set-Cookie lines with the app's own session, vault those that belong into the vault.
	adopted, vault []string

	// redirect says that the response sends the browser to another page.
	redirect bool

	// foreign are cookies that the backend sets under our cookie's name.
	foreign []string
}

func (c *collected) lines() int {
	n := len(c.update) + len(c.flash) + len(c.control)
	for _, values := range c.captured {
		n += len(values)
	}
	return n
}

// collect takes our headers out of the response.
func (x *exchange) collect(h http.Header, status int) collected {
	c := collected{redirect: redirects(status, h)}
	names, leftOut := &x.h.names, x.h.leftOut(status, h)
	for name, values := range h {
		found := names.response.find(name)
		switch found.means {
		case none:
			continue
		case setCookieHeader:
			if strings.EqualFold(name, "Set-Cookie") {
				x.takeForeign(h, name, values, &c)
				adopted, vaulted := x.takeCookies(h, name)
				c.adopted, c.vault = append(c.adopted, adopted...), append(c.vault, vaulted...)
			}
			continue
		case trailerHeader:
			if kept, removed := removeTokens(values, names.response.notInTrailers); removed {
				h[name] = kept
				x.h.logger.Warn("session headers in trailers are ignored")
			}
			continue
		}
		delete(h, name)
		if !strings.EqualFold(name, x.canonical(found)) {
			x.h.logger.Warn("a session header was misspelt and is ignored", nameField(x.canonical(found)))
			continue
		}
		switch found.means {
		case updateHeader:
			c.update = append(c.update, values...)
		case flashHeader:
			c.flash = append(c.flash, values...)
		case controlHeader:
			c.control = append(c.control, values...)
		case capturedHeader:
			if leftOut != nil && leftOut[found.field] {
				continue
			}
			if c.captured == nil {
				c.captured = make([][]string, len(names.captured))
			}
			c.captured[found.field] = append(c.captured[found.field], values...)
		}
	}
	return c
}

func (x *exchange) canonical(n foldedName) string {
	names := &x.h.names
	switch n.means {
	case updateHeader:
		return names.update
	case flashHeader:
		return names.flash
	case controlHeader:
		return names.control
	default:
		return names.captured[n.field].header
	}
}

// takeForeign takes out cookies that the backend sets under our cookie's name: only
// the proxy names a session, unless the backend shares its own with it.
func (x *exchange) takeForeign(h http.Header, name string, values []string, c *collected) {
	var kept []string
	for _, v := range values {
		switch set, value := sets(v); {
		case !x.h.cookie.names.own(set):
			kept = append(kept, v)
		case x.h.cookie.passThrough && set == x.cookieName():
			kept = append(kept, v)
			c.foreign = append(c.foreign, value)
		}
	}
	if len(kept) < len(values) {
		x.h.logger.Warn("the backend set a cookie with the session cookie's name; it is dropped")
		setLines(h, name, kept)
	}
}

// dropForeign takes all cookies of our names out of a response.
func (x *exchange) dropForeign(h http.Header) {
	for name, lines := range h {
		if strings.EqualFold(name, "Set-Cookie") {
			setLines(h, name, slices.DeleteFunc(lines, func(line string) bool {
				set, _ := sets(line)
				return x.h.cookie.names.own(set)
			}))
		}
	}
}

// sets returns the name and the value of the cookie that a Set-Cookie line is about.
func sets(line string) (name, value string) {
	pair, _, _ := strings.Cut(line, ";")
	// A cookie without a name, "=a=b", comes back as a cookie a.
	return parseCookie(strings.TrimLeft(pair, " \t="))
}

// setLines gives a header these lines, or none.
func setLines(h http.Header, name string, lines []string) {
	if len(lines) == 0 {
		delete(h, name)
	} else {
		h[name] = lines
	}
}

// change makes one change of all that the response asks for. Its errors name
// the header and hold none of the data.
func (x *exchange) change(c *collected) (*sessionstore.Change, error) {
	change := &sessionstore.Change{Vault: x.received(c)}
	if err := x.adopt(c, change); err != nil {
		return nil, err
	}
	names := &x.h.names
	if !x.h.updates {
		if c.update != nil || c.flash != nil || c.control != nil {
			x.h.ignored.Do(func() {
				x.h.logger.Warn("the backend sent session headers, which are ignored: updates off")
			})
		}
		c.update, c.flash, c.control = nil, nil, nil
	}
	if n := c.lines(); n > maxLines {
		return nil, fmt.Errorf("%w: %d session header lines, at most %d are read", sessionstore.ErrTooLarge, n, maxLines)
	}
	for i, values := range c.captured {
		if values == nil {
			continue
		}
		edit, err := names.captured[i].edit(values)
		if err != nil {
			return nil, err
		}
		change.Edits = append(change.Edits, edit)
	}
	err := x.eachValue(names.update, c.update, func(v jsondoc.Value) error {
		edit, err := sessionstore.ParseEdit(v)
		change.Edits = append(change.Edits, namedEdit{edit, names.update})
		return err
	})
	if err != nil {
		return nil, err
	}
	err = x.eachValue(names.flash, c.flash, func(v jsondoc.Value) error {
		flash, err := sessionstore.ParseFlash(v)
		change.Flashes = append(change.Flashes, flash)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := readControl(c.control, change); err != nil {
		return nil, fmt.Errorf("%s: %w", names.control, err)
	}
	if x.withheld >= dataWithheld {
		change.FlashSeen = false // the app was given no messages
	}
	if x.withheld >= cookiesWithheld && len(c.vault) > 0 || x.withheld >= dataWithheld && len(c.adopted) > 0 {
		// The app was not given its cookies, and has begun a session of its own.
		x.h.logger.Warn("the app has begun a new session in the place of one that is beyond max_headers", zap.String("ref", x.Session.Ref()))
		change.Destroy = true
	}
	if x.h.adopted.cookie != "" && len(change.Edits) > 0 {
		change.Edits = append(change.Edits, readable(x.h.adopted.Check))
	}
	return change, nil
}

// namedEdit says in its errors which header it came from.
type namedEdit struct {
	sessionstore.Edit
	header string
}

func (e namedEdit) Apply(doc jsondoc.Value, budget *jsondoc.Budget) (jsondoc.Value, error) {
	doc, err := e.Edit.Apply(doc, budget)
	if err != nil {
		err = fmt.Errorf("%s: %w", e.header, err)
	}
	return doc, err
}

// eachValue calls use for the JSON values of a header, which may have several in a line.
func (x *exchange) eachValue(header string, lines []string, use func(jsondoc.Value) error) error {
	for i, line := range lines {
		values, err := x.h.parseLine(line)
		if err != nil {
			return fmt.Errorf("%s, line %d: %w: %w", header, i+1, sessionstore.ErrInvalid, err)
		}
		for _, v := range values {
			if err := use(v); err != nil {
				return fmt.Errorf("%s, line %d: %w", header, i+1, err)
			}
		}
	}
	return nil
}

// parseLine reads JSON values with commas between them; in the base64 encoding,
// also the base64 of the same.
func (h *Handler) parseLine(line string) ([]jsondoc.Value, error) {
	if len(line) > maxLine {
		return nil, jsondoc.ErrTooLarge
	}
	rest := strings.Trim(asUTF8(line), " \t")
	if !h.base64 {
		return jsondoc.ParseList(rest, sessionstore.MaxUpdateDepth)
	}
	var values []jsondoc.Value
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && strings.IndexByte(`{["`, rest[0]) >= 0 {
			v, after, err := jsondoc.ParseNext(rest, sessionstore.MaxUpdateDepth)
			if err != nil {
				return nil, err
			}
			values, rest = append(values, v), strings.TrimLeft(after, " \t")
			if rest != "" && rest[0] != ',' {
				return nil, fmt.Errorf("%w: values without a comma between them", jsondoc.ErrSyntax)
			}
		} else {
			encoded, _, _ := strings.Cut(rest, ",")
			rest = rest[len(encoded):]
			text, err := base64.StdEncoding.DecodeString(strings.TrimRight(encoded, " \t"))
			if err != nil {
				return nil, fmt.Errorf("%w: neither JSON nor base64", jsondoc.ErrSyntax)
			}
			list, err := jsondoc.ParseList(text, sessionstore.MaxUpdateDepth)
			if err != nil {
				return nil, err
			}
			values = append(values, list...)
		}
		if rest == "" {
			return values, nil
		}
		rest = rest[1:]
	}
}

// asUTF8 returns a header line as it was meant: Node, gunicorn and others send each character as one byte of ISO-8859-1.
func asUTF8(line string) string {
	if utf8.ValidString(line) {
		return line
	}
	text := make([]rune, len(line))
	for i := range len(line) {
		text[i] = rune(line[i])
	}
	return string(text)
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
			return fmt.Errorf("%w: %s has a value that it cannot have", sessionstore.ErrInvalid, name)
		}
	}
	return nil
}

// controls are the members of the control header, with what puts each into a change, or reports that its value is wrong.
var controls = map[string]func(httpsfv.Member, *sessionstore.Change) bool{
	"regenerate": func(m httpsfv.Member, c *sessionstore.Change) (ok bool) {
		c.Regenerate, ok = boolean(m)
		return ok
	},
	"destroy": func(m httpsfv.Member, c *sessionstore.Change) (ok bool) {
		c.Destroy, ok = boolean(m)
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
		if !ok {
			return false
		}
		change.FlashCategories = append(change.FlashCategories, category)
	}
	return true
}

// maxIdleSeconds keeps a time.Duration from overflowing.
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
