package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// placeholder returns the value of a placeholder of the session. The data are parsed only when they
// are needed.
func placeholder(r *http.Request, key string) (any, bool) {
	if !strings.HasPrefix(key, "http.session.") {
		return nil, false
	}
	for x := latest(r); x != nil; x = x.outer {
		if name, ours := strings.CutPrefix(key, x.h.placeholders); ours {
			if value, known := x.placeholder(name); known {
				return value, true
			}
		}
	}
	return nil, false
}

func (x *exchange) placeholder(name string) (any, bool) {
	s := x.Session
	switch name {
	case "exists":
		return s.Exists(), true
	case "ref":
		return s.Ref(), true
	case "created":
		if s.Created().IsZero() {
			return "", true
		}
		return s.Created().Unix(), true
	case "data":
		return s.Data(), true
	case "user":
		return s.User(), true
	case "outcome":
		return x.report.Outcome, true
	case "error":
		if err, failed := x.failure.(caddyhttp.HandlerError); failed {
			return failure.PublicText(err), true
		}
		return "", true
	}
	field, isField := strings.CutPrefix(name, "data.")
	if !isField {
		return nil, false
	}
	if value, ok := x.lookup(field); ok {
		return native(value), true
	}
	return "", true
}

// Field returns the field that a placeholder names, in the session of this handler or of one before
// it. isField is false if it is no field of a session.
func (x *exchange) Field(placeholder string) (value jsondoc.Value, found, isField bool) {
	for ; x != nil; x = x.outer {
		if text, ours := strings.CutPrefix(placeholder, x.h.placeholders+"data."); ours {
			value, found = x.lookup(text)
			return value, found, true
		}
	}
	return jsondoc.Value{}, false, false
}

// lookup returns a field of the data as they were when the request arrived, by its dotted path.
func (x *exchange) lookup(path string) (value jsondoc.Value, found bool) {
	field, err := jsondoc.ParsePath(path)
	if err != nil {
		return jsondoc.Value{}, false
	}
	doc, err := jsondoc.Parse(x.Session.Data(), jsondoc.MaxDepth)
	if err != nil {
		return jsondoc.Value{}, false
	}
	return doc.Lookup(field)
}

// native returns a field in the type that matchers and expressions compare best.
func native(v jsondoc.Value) any {
	switch value := v.Native().(type) {
	case nil:
		return ""
	case string, bool:
		return value
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		if f, err := value.Float64(); err == nil {
			return f
		}
		return value.String()
	default:
		return string(v.AppendASCII(nil))
	}
}
