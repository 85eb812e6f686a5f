package parts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Capture stores a response header of the app in a field of the session's data. In JSON, the field
// alone may stand for it.
type Capture struct {
	// The dotted path of the field. An empty header removes the field
	Field string `json:"field,omitempty"`

	// text (a string; several lines are joined with ", ") or json (one JSON value, which keeps its
	// type; null removes the field; an invalid value is a 502). Default: text
	Format string `json:"format,omitempty"`

	// The responses that the header is taken from, by status and headers. It is removed from all
	// others too. Default: all
	Match *caddyhttp.ResponseMatcher `json:"match,omitempty"`
}

const (
	formatText = "text"
	formatJSON = "json"
)

// plainCapture is Capture without its methods, to decode it without recursion.
type plainCapture Capture

// MarshalJSON implements [json.Marshaler].
func (c Capture) MarshalJSON() ([]byte, error) {
	if c.Format == "" && c.Match == nil {
		return json.Marshal(c.Field)
	}
	return json.Marshal(plainCapture(c))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Capture) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &c.Field)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // as Caddy does for modules
	return d.Decode((*plainCapture)(c))
}

// CaptureOption is the option capture, which is repeatable.
func CaptureOption(to *map[string]Capture) config.Option {
	read := func(d *caddyfile.Dispenser) error { return readCapture(d, to) }
	return config.Func(read).Repeatable().Also(func() error {
		_, err := NewCapture(*to, wire.Names{})
		return err
	})
}

// readCapture reads a line of the Caddyfile and its optional block.
func readCapture(d *caddyfile.Dispenser, to *map[string]Capture) error {
	option := d.Val()
	args, err := config.Arguments(d, option, "a header, a field and perhaps text or json", 2, 3)
	if err != nil {
		return err
	}
	name, c := args[0], Capture{Field: args[1]}
	if _, again := (*to)[name]; again {
		return d.Errf("%s %s is given twice", option, name)
	}
	if len(args) == 3 {
		c.Format = args[2]
	}
	// ParseNamedResponseMatcher takes the last argument as the name of the matcher.
	last, matchers := d.Val(), make(map[string]caddyhttp.ResponseMatcher)
	if err := caddyhttp.ParseNamedResponseMatcher(d.NewFromNextSegment(), matchers); err != nil {
		return err
	}
	if m := matchers[last]; m.StatusCode != nil || m.Headers != nil {
		c.Match = &m
	}
	if *to == nil {
		*to = make(map[string]Capture)
	}
	(*to)[name] = c
	return nil
}

func (c *Capture) check() (jsondoc.Path, error) {
	if c.Format != "" && c.Format != formatText && c.Format != formatJSON {
		return jsondoc.Path{}, fmt.Errorf("format must be %s or %s, not %q", formatText, formatJSON, c.Format)
	}
	if c.Match != nil {
		for _, status := range c.Match.StatusCode {
			if (status < 1 || status > 5) && (status < 100 || status > 599) {
				return jsondoc.Path{}, fmt.Errorf("status: %d is neither a status code nor the first digit of status codes", status)
			}
		}
	}
	return jsondoc.ParsePath(c.Field)
}

// captured is the part for one captured header.
type captured struct {
	forwardsNothing
	header string
	field  jsondoc.Path
	inJSON bool
	match  *caddyhttp.ResponseMatcher
}

// NewCapture returns a part for each header. taken are the names that it may not use.
func NewCapture(headers map[string]Capture, taken wire.Names) (list []Part, err error) {
	var twice wire.Names
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if twice.Find(name) != 0 {
			return nil, fmt.Errorf("capture: %s is captured twice", name)
		}
		if err := checkHeader("capture", name, &taken); err != nil {
			return nil, err
		}
		c := headers[name]
		field, err := c.check()
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", name, err)
		}
		twice.Add(name, 1)
		list = append(list, &captured{header: http.CanonicalHeaderKey(name), field: field, inJSON: c.Format == formatJSON, match: c.Match})
	}
	return list, nil
}

// Takes implements [Part].
func (p *captured) Takes() string { return p.header }

// TakesFrom implements [Chooser].
func (p *captured) TakesFrom(status int, head http.Header) bool {
	return p.match == nil || p.match.Match(status, head)
}

var errOneValue = errors.New("more than one JSON value")

// Take implements [Part]. A header that holds nothing removes the field.
func (p *captured) Take(_ *View, lines []string, a *Answer) error {
	if lines == nil {
		return nil
	}
	edit := jsondoc.Assign{Field: p.field}
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = asUTF8(line)
	}
	text := strings.Join(texts, ", ")
	switch {
	case text == "":
	case p.inJSON:
		if len(text) > maxLine {
			return fmt.Errorf("%s: %w", p.header, sessionstore.ErrTooLarge)
		}
		value, rest, err := jsondoc.ParseNext(text, jsondoc.MaxUpdateDepth)
		if err == nil && rest != "" {
			err = errOneValue
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", p.header, sessionstore.ErrInvalid, err)
		}
		if value.Kind() != jsondoc.Null {
			edit.Value = &value
		}
	default:
		value := jsondoc.NewString(text)
		edit.Value = &value
	}
	a.Change.Edits = append(a.Change.Edits, namedEdit{edit, p.header})
	return nil
}

// Interface guards
var (
	_ Part             = (*captured)(nil)
	_ Chooser          = (*captured)(nil)
	_ json.Marshaler   = Capture{}
	_ json.Unmarshaler = (*Capture)(nil)
)
