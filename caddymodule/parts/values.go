package parts

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxLine is the maximum length of a session header line, in bytes.
const maxLine = sessionstore.MaxRecord

// eachValue calls use for each JSON value of a header. A line may have several.
func eachValue(header string, lines []string, inBase64 bool, use func(jsondoc.Value) error) error {
	for i, line := range lines {
		values, err := parseLine(line, inBase64)
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

// parseLine reads JSON values separated by commas. With base64, a value may be the base64 of such a
// list.
func parseLine(line string, inBase64 bool) ([]jsondoc.Value, error) {
	if len(line) > maxLine {
		return nil, jsondoc.ErrTooLarge
	}
	rest := strings.Trim(asUTF8(line), " \t")
	if !inBase64 {
		return jsondoc.ParseList(rest, jsondoc.MaxUpdateDepth)
	}
	var values []jsondoc.Value
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && strings.IndexByte(`{["`, rest[0]) >= 0 {
			v, after, err := jsondoc.ParseNext(rest, jsondoc.MaxUpdateDepth)
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
			list, err := jsondoc.ParseList(text, jsondoc.MaxUpdateDepth)
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

// asUTF8 returns a header line as UTF-8. Node, gunicorn and others send each character as one byte
// of ISO-8859-1.
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

// namedEdit adds the header's name to the errors of an edit.
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
