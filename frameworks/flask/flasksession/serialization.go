package flasksession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/python"
	"github.com/caddy-session/caddy-session/frameworks/python/msgpack"
	"github.com/caddy-session/caddy-session/frameworks/python/pickle"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Serialization is how a session's dict is written. The zero value means [Auto].
type Serialization string

// The serializations. If one of the last three is set, new records are written in it only.
const (
	// Auto is the serialization of the record that was read last, or [Pickle], which all versions
	// of Flask-Session read, before any was read.
	Auto Serialization = "auto"
	// Pickle is the serialization of Flask-Session up to 0.6, and of its file store in all
	// versions.
	Pickle Serialization = "pickle"
	// MessagePack is the default of Flask-Session 0.7 and later.
	MessagePack Serialization = "msgpack"
	// JSON is the alternative of Flask-Session 0.7 and later.
	JSON Serialization = "json"
)

// newProtocol is the protocol of new pickles: Python's default from 3.8 to 3.13, readable since
// 3.4.
const newProtocol = 4

// form is the serialization of a record.
type form struct {
	serialization Serialization
	protocol      int // for Pickle only
}

var errForm = fmt.Errorf("%w: not a record of Flask-Session", sessionstore.ErrRecord)

// decode reads a record in any serialization. The order of the checks matters: to a MessagePack
// reader that ignores trailing bytes, a pickle is an empty map, and JSON is a small number.
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
