package mongodb

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// FuzzDocument reads arbitrary documents. Each is a live record, no record, or an error.
func FuzzDocument(f *testing.F) {
	at := time.UnixMilli(1_700_000_000_000)
	for _, doc := range []bson.D{
		{},
		{{Key: "_id", Value: "k"}, {Key: "val", Value: []byte("value")}, {Key: "expiration", Value: at.Add(time.Hour)}},
		{{Key: "_id", Value: "k"}, {Key: "val", Value: []byte{}}, {Key: "expiration", Value: at}},
		{{Key: "val", Value: []byte("value")}, {Key: "expiration", Value: nil}},
		{{Key: "val", Value: "text"}, {Key: "expiration", Value: "text"}},
		{{Key: "val", Value: bson.Binary{Subtype: 2, Data: []byte("value")}}, {Key: "expiration", Value: bson.DateTime(1<<63 - 1)}},
	} {
		raw, err := bson.Marshal(doc)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, l := range []documents{{MongoDB: own}, {MongoDB: own, endless: time.Minute}} {
			e, err := l.entry(raw, at)
			switch {
			case err != nil && (!errors.Is(err, sessionstore.ErrRecord) || e.Found()):
				t.Errorf("%v with %v", e, err)
			case e.Found() != (e.TTL > 0), len(e.Value) > sessionstore.MaxValue, e.TTLUnknown && (l.endless == 0 || e.TTL != l.endless):
				t.Errorf("got %v", e)
			}
		}
	})
}

// FuzzURI opens invalid URIs. No error may contain the password.
func FuzzURI(f *testing.F) {
	f.Add("mongodb://", "user:", "", "host/?tls=true")
	f.Add("mongodb://", "user:", "/", "host:x/")
	f.Add("mongodb://", "user:a:", "%", "host/?journal=x")
	f.Add("mongodb+srv://", ":", "#?", "host:1")
	f.Add("http://", "", "", "")
	f.Fuzz(func(t *testing.T, scheme, user, password, rest string) {
		const secret = "password-to-find"
		if strings.ContainsAny(user, "/?@") || strings.Contains(user+password+rest, "to-find") {
			return // it is not the password, or not the only one
		}
		if err := Check(scheme+user+secret+password+"@"+rest, Options{}); err != nil && strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	})
}
