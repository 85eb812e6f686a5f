package mongodb

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Errors about documents that cannot be a record. Such documents are not changed.
var (
	errNoRecord = fmt.Errorf("%w: the document does not have the fields of a session", sessionstore.ErrRecord)
	errTooLarge = fmt.Errorf("%w: the record is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)
)

// entry reads a document. An expired document is no record, whatever else it holds.
func (d *documents) entry(doc bson.Raw, at time.Time) (sessionstore.Entry, error) {
	var e sessionstore.Entry
	switch expires := doc.Lookup(d.Expires); {
	case expires.Type == bson.TypeDateTime:
		if e.TTL = expires.Time().Sub(at); e.TTL <= 0 {
			return sessionstore.Entry{}, nil
		}
	case d.endless > 0 && (expires.IsZero() || expires.Type == bson.TypeNull):
		e.TTL, e.TTLUnknown = d.endless, true
	default:
		return sessionstore.Entry{}, errNoRecord
	}
	subtype, value, ok := doc.Lookup(d.Value).BinaryOK()
	switch {
	case !ok || subtype != bson.TypeBinaryGeneric:
		return sessionstore.Entry{}, errNoRecord
	case len(value) > sessionstore.MaxValue:
		return sessionstore.Entry{}, errTooLarge
	}
	// Copy: the document's memory belongs to the driver and may be larger.
	e.Value = append(make([]byte, 0, len(value)), value...)
	return e, nil
}

// millis returns the current time in BSON's milliseconds. A record with less than one left has
// expired.
func (d *documents) millis() bson.DateTime { return bson.NewDateTimeFromTime(d.now()) }

// after rounds up: a record must live for at least the given time.
func (d *documents) after(ttl time.Duration) bson.DateTime {
	return bson.NewDateTimeFromTime(d.now().Add(ttl).Add(time.Millisecond - 1))
}
