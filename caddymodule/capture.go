package caddymodule

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
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/jsondoc"
)

// Capture says what becomes of a response header of the backend's. In JSON, a field alone
// may stand for it.
type Capture struct {
	// The dotted path of the field that it becomes. An empty header removes the field
	Field string `json:"field,omitempty"`

	// text (as it stands, several lines joined with ", ") or json (one value, which keeps its
	// type; null removes the field, and what is not valid is a 502). Default: text
	Format string `json:"format,omitempty"`

	// The responses that it is taken from, by status and headers. It is removed from all others
	// too. Default: all
	Match *caddyhttp.ResponseMatcher `json:"match,omitempty"`
}

const (
	formatText = "text"
	formatJSON = "json"
)

// plainCapture is Capture without its methods.
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

// captureOption reads a line, and the block that may follow it.
func captureOption(d *caddyfile.Dispenser, to *map[string]Capture) error {
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
	// The last argument stands where a named matcher has its name.
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

// capture is a response header that becomes a field of the data.
type capture struct {
	header string
	field  jsondoc.Path
	json   bool
	match  *caddyhttp.ResponseMatcher
}

func (h *Handler) checkCapture() error {
	for _, name := range slices.Sorted(maps.Keys(h.Capture)) {
		if err := checkHeader("capture", name); err != nil {
			return err
		}
		c := h.Capture[name]
		if _, err := c.check(); err != nil {
			return fmt.Errorf("capture %s: %w", name, err)
		}
	}
	return nil
}

// provisionCapture returns the fields that headers become.
func (h *Handler) provisionCapture() (fields []string, err error) {
	taken := h.names.own()
	for i, name := range slices.Sorted(maps.Keys(h.Capture)) {
		if h.names.response.find(name).means == capturedHeader {
			return nil, fmt.Errorf("capture: %s is captured twice", name)
		}
		if err := checkTaken("capture", name, &taken); err != nil {
			return nil, err
		}
		c := h.Capture[name]
		field, err := c.check()
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", name, err)
		}
		h.names.response.add(name, capturedHeader, i)
		h.names.captured = append(h.names.captured, capture{http.CanonicalHeaderKey(name), field, c.Format == formatJSON, c.Match})
		h.conditional = h.conditional || c.Match != nil
		fields = append(fields, c.Field)
	}
	return fields, nil
}

func (c *Capture) check() (jsondoc.Path, error) {
	if c.Format != "" && c.Format != formatText && c.Format != formatJSON {
		return jsondoc.Path{}, fmt.Errorf("format must be %s or %s, not %q", formatText, formatJSON, c.Format)
	}
	if c.Match != nil {
		for _, status := range c.Match.StatusCode {
			if (status < 1 || status > 5) && (status < 100 || status > 599) {
				return jsondoc.Path{}, fmt.Errorf("status: %d is neither a status nor the first digit of some", status)
			}
		}
	}
	return jsondoc.ParsePath(c.Field)
}

// leftOut returns which captures are not for this response, and nil if all are. It looks at
// the head before anything is taken out of it.
func (h *Handler) leftOut(status int, head http.Header) []bool {
	if !h.conditional {
		return nil
	}
	out := make([]bool, len(h.names.captured))
	for i, c := range h.names.captured {
		out[i] = c.match != nil && !c.match.Match(status, head)
	}
	return out
}

var errOneValue = errors.New("more than one JSON value")

// edit makes an edit of the header's lines. A header that holds nothing removes the field.
func (c *capture) edit(lines []string) (sessionstore.Edit, error) {
	edit := sessionstore.Assign{Field: c.field}
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = asUTF8(line)
	}
	text := strings.Join(texts, ", ")
	switch {
	case text == "":
	case c.json:
		if len(text) > maxLine {
			return nil, fmt.Errorf("%s: %w", c.header, sessionstore.ErrTooLarge)
		}
		value, rest, err := jsondoc.ParseNext(text, sessionstore.MaxUpdateDepth)
		if err == nil && rest != "" {
			err = errOneValue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", c.header, sessionstore.ErrInvalid, err)
		}
		if value.Kind() != jsondoc.Null {
			edit.Value = &value
		}
	default:
		value := jsondoc.NewString(text)
		edit.Value = &value
	}
	return namedEdit{edit, c.header}, nil
}

// Interface guards
var (
	_ json.Marshaler   = Capture{}
	_ json.Unmarshaler = (*Capture)(nil)
)
