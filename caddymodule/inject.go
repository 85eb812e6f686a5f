package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

// injection is a request header that is made of the session.
type injection struct {
	header string
	parts  []part
}

// part is a piece of such a header: a text, a field of the handler's own data, or another placeholder.
type part struct {
	kind  partKind
	text  string // the text, or the placeholder's name
	field jsondoc.Path
}

type partKind uint8

const (
	textPart partKind = iota
	fieldPart
	placeholderPart
)

// checkInject is as much as can be said line by line: which placeholders are fields, the handler's name says.
func (h *Handler) checkInject() error {
	for _, name := range slices.Sorted(maps.Keys(h.Inject)) {
		if err := checkHeader("inject", name); err != nil {
			return err
		}
		if _, err := h.parseInjection(h.Inject[name]); err != nil {
			return fmt.Errorf("inject %s: %w", name, err)
		}
	}
	return nil
}

func (h *Handler) provisionInject() error {
	taken := h.names.own()
	for _, name := range slices.Sorted(maps.Keys(h.Inject)) {
		if err := checkTaken("inject", name, &taken); err != nil {
			return err
		}
		parts, err := h.parseInjection(h.Inject[name])
		if err != nil {
			return fmt.Errorf("inject %s: %w", name, err)
		}
		taken.add(name, injectedHeader, 0)
		h.inject = append(h.inject, injection{http.CanonicalHeaderKey(name), parts})
	}
	return nil
}

var (
	errBrace       = errors.New("a { without its }; a brace of the text itself is \\{")
	errPlaceholder = errors.New("the placeholder has no name")
	errTemplate    = errors.New("the text may hold printable ASCII characters only")
)

// parseInjection reads a field's path or, if there is a brace in it, a template.
func (h *Handler) parseInjection(text string) ([]part, error) {
	if !strings.Contains(text, "{") {
		field, err := jsondoc.ParsePath(text)
		return []part{{kind: fieldPart, field: field}}, err
	}
	var parts []part
	var literal []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && strings.IndexByte("{}", text[i+1]) >= 0:
			i++
			literal = append(literal, text[i])
		case c == '{':
			name, _, closed := strings.Cut(text[i+1:], "}")
			if !closed || strings.Contains(name, "{") {
				return nil, errBrace
			}
			placeholder, err := h.parsePlaceholder(name)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{text: string(literal)}, placeholder)
			literal = nil
			i += len(name) + len("}")
		case c < ' ' || c > '~':
			return nil, errTemplate
		default:
			literal = append(literal, c)
		}
	}
	return append(parts, part{text: string(literal)}), nil
}

func (h *Handler) parsePlaceholder(name string) (part, error) {
	if name == "" {
		return part{}, errPlaceholder
	}
	path, isField := strings.CutPrefix(name, h.placeholders+"data.")
	if !isField || h.placeholders == "" {
		return part{kind: placeholderPart, text: name}, nil
	}
	field, err := jsondoc.ParsePath(path)
	return part{kind: fieldPart, field: field}, err
}

// inject sets the headers that are made of the session, whose data are doc.
func (x *exchange) inject(doc jsondoc.Value) {
	for i := range x.h.inject {
		if value, ok := x.injected(x.h.inject[i].parts, doc); ok {
			x.r.Header[x.h.inject[i].header] = []string{value}
		}
	}
}

// injected returns the value of a header, if there is everything that it is made of: half a name is
// another's name.
func (x *exchange) injected(parts []part, doc jsondoc.Value) (value string, ok bool) {
	var b strings.Builder
	for i := range parts {
		text := parts[i].text
		switch parts[i].kind {
		case fieldPart:
			text, ok = headerText(doc.Lookup(parts[i].field))
		case placeholderPart:
			text, ok = x.placeholderText(parts[i].text)
		default:
			ok = true
		}
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// placeholderText returns what stands for a placeholder in a header. There, an empty one is missing: most
// placeholders do not tell the two apart.
func (x *exchange) placeholderText(name string) (text string, ok bool) {
	if value, found, isField := x.outer.field(name); isField {
		return headerText(value, found)
	}
	repl, _ := x.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	value, _ := repl.GetString(name)
	return percentEncode(value), value != ""
}

// headerText is the text of a field for a header: of a string its characters, percent-encoded, of everything
// else its JSON, which is ASCII. A field that is missing, or null, has none.
func headerText(v jsondoc.Value, found bool) (text string, ok bool) {
	switch {
	case !found || v.Kind() == jsondoc.Null:
		return "", false
	case v.Kind() == jsondoc.String:
		return percentEncode(v.String()), true
	default:
		return v.String(), true
	}
}

// percentEncode makes printable ASCII of a text, as RFC 3986, section 2.1, says: of its UTF-8. It encodes % too, and
// the blanks at both ends, which servers trim: whoever may choose a name could otherwise choose one that
// looks like another's in the header.
func percentEncode(text string) string {
	last := len(text) - 1
	plain := func(i int) bool {
		c := text[i]
		return '!' <= c && c <= '~' && c != '%' || c == ' ' && i != 0 && i != last
	}
	i := 0
	for i <= last && plain(i) {
		i++
	}
	if i > last {
		return text
	}
	b := make([]byte, i, len(text)+len(text)/2)
	copy(b, text)
	for ; i <= last; i++ {
		if plain(i) {
			b = append(b, text[i])
		} else {
			b = append(b, '%', upperHex[text[i]>>4], upperHex[text[i]&0xf])
		}
	}
	return string(b)
}

const upperHex = "0123456789ABCDEF"
