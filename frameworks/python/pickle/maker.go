package pickle

import "github.com/caddy-session/caddy-session/frameworks/python"

// Maker makes new values as Python pickles them.
var Maker = python.Maker{
	Tuple:    func(items []python.Value) python.Value { return &python.Tuple{Items: items} },
	Bytes:    func(b string) python.Value { return python.Bytes(b) },
	Markup:   python.NewMarkup,
	UUID:     python.NewUUID,
	Datetime: python.NewDatetime,
}
