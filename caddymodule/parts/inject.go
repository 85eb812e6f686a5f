package parts

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// InjectOption is the option inject. Its check does not know the handler's name, so it cannot check
// the placeholders of the session itself.
func InjectOption(to *map[string]string) config.Option {
	return config.Pairs(to, "a header and a field or a text in quotes").Also(func() error {
		_, err := NewInject(*to, "", wire.Names{})
		return err
	})
}

// Inject adds a request header that contains fields of the session.
type Inject struct {
	takesNothing
	header string
	pieces []piece
}

// piece is a part of the header's template: a text, a field of the handler's own data, or another
// placeholder.
type piece struct {
	kind  pieceKind
	text  string // the text, or the placeholder's name
	field jsondoc.Path
}

type pieceKind uint8

const (
	textPiece pieceKind = iota
	fieldPiece
	placeholderPiece
)

var (
	errBrace       = errors.New("a { without its }; write a literal brace as \\{")
	errPlaceholder = errors.New("the placeholder has no name")
	errTemplate    = errors.New("the text may only have printable ASCII characters")
)

// NewInject returns a part for each header. own is the prefix of the handler's placeholders. taken
// are the names that it may not use.
func NewInject(headers map[string]string, own string, taken wire.Names) (list []Part, err error) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if err := checkHeader("inject", name, &taken); err != nil {
			return nil, err
		}
		p, err := newInject(name, headers[name], own)
		if err != nil {
			return nil, fmt.Errorf("inject %s: %w", name, err)
		}
		taken.Add(name, 1)
		list = append(list, p)
	}
	return list, nil
}

// newInject returns the part for a header. The text is the dotted path of a field or, if it has a
// brace, a template.
func newInject(header, text, own string) (*Inject, error) {
	p := &Inject{header: http.CanonicalHeaderKey(header)}
	if !strings.Contains(text, "{") {
		field, err := jsondoc.ParsePath(text)
		p.pieces = []piece{{kind: fieldPiece, field: field}}
		return p, err
	}
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
			placeholder, err := parsePlaceholder(name, own)
			if err != nil {
				return nil, err
			}
			p.pieces = append(p.pieces, piece{text: string(literal)}, placeholder)
			literal = literal[:0]
			i += len(name) + len("}")
		case c < ' ' || c > '~':
			return nil, errTemplate
		default:
			literal = append(literal, c)
		}
	}
	p.pieces = append(p.pieces, piece{text: string(literal)})
	return p, nil
}

func parsePlaceholder(name, own string) (piece, error) {
	if name == "" {
		return piece{}, errPlaceholder
	}
	path, isField := strings.CutPrefix(name, own+"data.")
	if !isField {
		return piece{kind: placeholderPiece, text: name}, nil
	}
	field, err := jsondoc.ParsePath(path)
	return piece{kind: fieldPiece, field: field}, err
}

// Forward implements [Part]. It leaves the header out if any value is missing: half of a name could
// be another user's name.
func (p *Inject) Forward(v *View, to *Forwarded) error {
	if v.Omits >= OmitInject {
		return nil
	}
	data, err := v.Data()
	if err != nil {
		return err
	}
	var b strings.Builder
	for i := range p.pieces {
		text, ok := p.pieces[i].text, true
		switch p.pieces[i].kind {
		case fieldPiece:
			text, ok = headerText(data.Lookup(p.pieces[i].field))
		case placeholderPiece:
			text, ok = placeholderText(v, p.pieces[i].text)
		}
		if !ok {
			return nil
		}
		b.WriteString(text)
	}
	to.Header(p.header, b.String())
	return nil
}

// placeholderText returns the value of a placeholder. An empty value counts as missing, as most
// placeholders have no other way to say that.
func placeholderText(v *View, name string) (text string, ok bool) {
	if value, found, isField := v.Outer.Field(name); isField {
		return headerText(value, found)
	}
	repl, _ := v.Request.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	value, _ := repl.GetString(name)
	return percentEncode(value), value != ""
}

// headerText returns a field as header text: strings percent-encoded, other values as JSON in
// ASCII. ok is false if the field is missing or null.
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

// percentEncode encodes a text as printable ASCII (RFC 3986, section 2.1). It also encodes % and
// the blanks at both ends, which servers trim: otherwise a user could choose a name that looks like
// another user's in the header.
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

// Interface guard
var _ Part = (*Inject)(nil)
