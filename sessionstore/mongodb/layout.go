package mongodb

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// layout is how a collection holds records. Ours has the key as _id too, which is unique by nature.
//
// In the foreign one, which is Flask-Session's, only "id" has the key, and nothing keeps two documents from having the same: Flask-Session
// makes no index on it. Like Flask-Session, we take what the server finds first.
type layout struct {
	// foreign is the life that a document without an end is said to have. It is 0 in our own layout.
	foreign time.Duration

	now func() time.Time
}

// The fields of a document.
const (
	fieldID      = "_id"
	fieldKey     = "id"
	fieldValue   = "val"
	fieldExpires = "expiration"
)

// named selects the document of a key, whether it has expired or not.
func (l layout) named(name string) bson.D {
	if l.foreign > 0 {
		return bson.D{{Key: fieldKey, Value: name}}
	}
	return bson.D{{Key: fieldID, Value: name}}
}

// holding selects the document of a key if it lives and holds that value. BSON has no way to compare the beginning
// of a value alone.
func (l layout) holding(name string, value []byte) bson.D {
	filter := append(l.named(name), bson.E{Key: fieldValue, Value: binary(value)})
	lives := bson.E{Key: fieldExpires, Value: bson.D{{Key: "$gt", Value: l.millis()}}}
	if l.foreign == 0 {
		return append(filter, lives)
	}
	// Null also means that there is no such field.
	return append(filter, bson.E{Key: "$or", Value: bson.A{bson.D{lives}, bson.D{{Key: fieldExpires, Value: nil}}}})
}

// read returns the record under a name.
func (l layout) read(ctx context.Context, c *mongo.Collection, name string) (sessionstore.Entry, error) {
	doc, err := c.FindOne(ctx, l.named(name)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return sessionstore.Entry{}, nil
	case err != nil:
		return sessionstore.Entry{}, err
	}
	return l.entry(doc, l.now())
}

// create makes the document, or takes over one that has expired. It is not done if one lives there.
func (l layout) create(ctx context.Context, c *mongo.Collection, name string, value []byte, ttl time.Duration) (done bool, err error) {
	if l.foreign > 0 {
		done, err = l.createForeign(ctx, c, name, value, ttl)
	} else {
		_, err = c.InsertOne(ctx, append(bson.D{{Key: fieldID, Value: name}, {Key: fieldKey, Value: name}}, l.fields(value, ttl)...))
		done = err == nil
	}
	if err != nil && !mongo.IsDuplicateKeyError(err) || done {
		return done, err
	}
	expired := append(l.named(name), bson.E{Key: fieldExpires, Value: bson.D{{Key: "$lte", Value: l.millis()}}})
	return changed(c.UpdateOne(ctx, expired, set(l.fields(value, ttl)...)))
}

// createForeign gives the document an _id that follows from its key, so that two proxies never make two.
func (l layout) createForeign(ctx context.Context, c *mongo.Collection, name string, value []byte, ttl time.Duration) (done bool, err error) {
	doc := append(bson.D{{Key: fieldID, Value: objectID(name)}}, l.fields(value, ttl)...)
	result, err := c.UpdateOne(ctx, l.named(name), bson.D{{Key: "$setOnInsert", Value: doc}}, options.UpdateOne().SetUpsert(true))
	return err == nil && result.UpsertedCount > 0, err
}

func (l layout) replace(ctx context.Context, c *mongo.Collection, name string, old, value []byte, ttl time.Duration) (done bool, err error) {
	return changed(c.UpdateOne(ctx, l.holding(name, old), set(l.fields(value, ttl)...)))
}

func (l layout) touch(ctx context.Context, c *mongo.Collection, name string, old []byte, ttl time.Duration) error {
	_, err := c.UpdateOne(ctx, l.holding(name, old), set(bson.E{Key: fieldExpires, Value: l.after(ttl)}))
	return err
}

// remove removes the document. In the foreign layout it is never done with that: another of the same name would be there from
// then on, and whoever logs out would be logged in.
func (l layout) remove(ctx context.Context, c *mongo.Collection, name string, old []byte) (done bool, err error) {
	result, err := c.DeleteOne(ctx, l.holding(name, old))
	return err == nil && result.DeletedCount > 0 && l.foreign == 0, err
}

func changed(result *mongo.UpdateResult, err error) (bool, error) {
	return err == nil && result.MatchedCount > 0, err
}

func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

// fields are what changes when a record is saved.
func (l layout) fields(value []byte, ttl time.Duration) bson.D {
	return bson.D{{Key: fieldValue, Value: binary(value)}, {Key: fieldExpires, Value: l.after(ttl)}}
}

func binary(value []byte) bson.Binary {
	return bson.Binary{Subtype: bson.TypeBinaryGeneric, Data: value}
}

// objectID must stay as it is: proxies of different versions make documents in one collection.
func objectID(name string) (id bson.ObjectID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}
