package flasksession

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// jsonMaker makes new values in the form in which msgspec writes them to JSON.
var jsonMaker = python.Maker{
	Tuple:    func(items []python.Value) python.Value { return &python.List{Items: items} },
	Bytes:    func(b string) python.Value { return python.Str(base64.StdEncoding.EncodeToString([]byte(b))) },
	UUID:     python.NewUUIDText,
	Datetime: func(t time.Time) python.Value { return python.Str(t.UTC().Format(time.RFC3339)) },
}

func decodeJSON(value []byte) (*python.Dict, error) {
	doc, err := jsondoc.Parse(value, jsondoc.MaxDepth)
	if err != nil || doc.Kind() != jsondoc.Object {
		return nil, fmt.Errorf("%w: not a JSON object", sessionstore.ErrRecord)
	}
	return fromJSON(doc).(*python.Dict), nil
}

func fromJSON(v jsondoc.Value) python.Value {
	switch v.Kind() {
	case jsondoc.Object:
		d := new(python.Dict)
		for name, value := range v.Members() {
			d.Add(python.Str(name), fromJSON(value))
		}
		return d
	case jsondoc.Array:
		l := new(python.List)
		for _, item := range v.Items() {
			l.Items = append(l.Items, fromJSON(item))
		}
		return l
	case jsondoc.String:
		return python.Str(v.String())
	case jsondoc.Bool:
		return python.Bool(v.ASCII() == "true")
	case jsondoc.Number:
		text := v.ASCII()
		if f, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, ".eE") {
			return python.Float(f)
		}
		return python.Int(text)
	default:
		return python.None{}
	}
}

// appendJSON writes a value that JSON can hold. It writes no tags: they are Flask's, and msgspec
// does not know them.
func appendJSON(out []byte, v python.Value) ([]byte, error) {
	switch v := v.(type) {
	case python.None:
		return append(out, "null"...), nil
	case python.Bool:
		return strconv.AppendBool(out, bool(v)), nil
	case python.Int:
		return append(out, v...), nil
	case python.Float:
		return appendFloat(out, float64(v))
	case python.Str:
		return jsondoc.AppendUTF8(out, jsondoc.NewString(string(v)).AppendASCII(nil)), nil
	case *python.List:
		out = append(out, '[')
		for i, item := range v.Items {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendJSON(out, item); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case *python.Dict:
		return appendObject(out, v)
	default:
		return nil, errNotJSON
	}
}

var errNotJSON = fmt.Errorf("%w: JSON of Flask-Session cannot hold one of the values", sessionstore.ErrInvalid)

func appendFloat(out []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errNotJSON
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return append(out, text...), nil
}

func appendObject(out []byte, d *python.Dict) ([]byte, error) {
	out = append(out, '{')
	for i, p := range d.Pairs {
		name, ok := p.Key.(python.Str)
		if !ok {
			return nil, errNotJSON
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsondoc.AppendUTF8(out, jsondoc.NewString(string(name)).AppendASCII(nil)), ':')
		var err error
		if out, err = appendJSON(out, p.Value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}
