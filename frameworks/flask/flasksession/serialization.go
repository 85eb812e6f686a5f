package flasksession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/frameworks/python/msgpack"
	"github.com/caddy-session/caddy-session/frameworks/python/pickle"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Serialization is a form of the dict of a session.
type Serialization string

// The serializations. New records are never in one that the app cannot read, if the app's own is
// named.
const (
	// Auto is that of the record that was read last; before one was, a pickle, which all versions
	// of Flask-Session read.
	Auto Serialization = "auto"
	// Pickle is the one of Flask-Session up to 0.6, and of its file store in all versions.
	Pickle Serialization = "pickle"
	// MessagePack is the default since 0.7.
	MessagePack Serialization = "msgpack"
	// JSON can be chosen since 0.7.
	JSON Serialization = "json"
)

// newProtocol is that of new pickles: Python's default from 3.8 to 3.13, and read since 3.4.
const newProtocol = 4

// form is how a record is written.
type form struct {
	serialization Serialization
	protocol      int // of a pickle
}

var errForm = fmt.Errorf("%w: it is no record of Flask-Session", sessionstore.ErrRecord)

// decode reads a record in whatever form. A pickle would be an empty map for a reader of
// MessagePack that does not mind what comes after, and JSON a small number.
func decode(value []byte) (d *python.Dict, found form, err error) {
	switch {
	case pickle.IsPickle(value):
		found.serialization = Pickle
		d, found.protocol, err = pickle.Decode(value)
	case len(value) > 0 && value[0] == '{':
		found.serialization = JSON
		d, err = decodeJSON(value)
	case len(value) > 0 && value[0] >= 0x80:
		found.serialization = MessagePack
		d, err = msgpack.Decode(value)
	default:
		err = errForm
	}
	return d, found, err
}

func (f form) encode(d *python.Dict) ([]byte, error) {
	switch f.serialization {
	case MessagePack:
		return msgpack.Encode(d)
	case JSON:
		return appendJSON(nil, d)
	default:
		return pickle.Encode(d, f.protocol)
	}
}

func (f form) maker() *python.Maker {
	switch f.serialization {
	case MessagePack:
		return &msgpack.Maker
	case JSON:
		return &jsonMaker
	default:
		return &pickle.Maker
	}
}
