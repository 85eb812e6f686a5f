package mongodb

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes by the order of _id, which every collection has an
// index for.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	prefix = s.opts.KeyPrefix + prefix
	filter := bson.D{}
	if after != "" {
		var last struct {
			ID bson.RawValue `bson:"_id"`
		}
		if err := bson.UnmarshalExtJSON([]byte(after), true, &last); err != nil {
			return page, sessionstore.ErrCursor
		}
		filter = bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: last.ID}}}}
	} else if s.documents.unique() {
		filter = bson.D{{Key: fieldID, Value: bson.D{{Key: "$gt", Value: prefix}}}}
	}
	_, err = s.run(ctx, func(ctx context.Context, c *mongo.Collection) (err error) {
		page, err = s.documents.page(ctx, c, filter, limit, func(key string) (name string, ok bool) {
			return strings.TrimPrefix(key, s.opts.KeyPrefix), strings.HasPrefix(key, prefix)
		})
		return err
	})
	return page, err
}

// page reads the documents that match the filter, in the order of _id. The function named returns
// the name of a record, if the document is one of ours.
func (d *documents) page(ctx context.Context, c *mongo.Collection, filter bson.D, limit int, named func(key string) (string, bool)) (page sessionstore.Page, err error) {
	found, err := c.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: fieldID, Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return page, err
	}
	defer func() { _ = found.Close(ctx) }()
	looked, full := 0, false
	var last bson.RawValue
	for ; !full && found.Next(ctx); looked++ {
		last = found.Current.Lookup(fieldID)
		key, _ := found.Current.Lookup(d.Key).StringValueOK()
		name, ours := named(key)
		if !ours {
			continue
		}
		e, err := d.entry(found.Current, d.now())
		if err == nil && e.Found() {
			full = page.Add(name, e, limit)
		}
	}
	if err := found.Err(); err != nil {
		return sessionstore.Page{}, err
	}
	if looked == limit || full {
		next, err := bson.MarshalExtJSON(bson.D{{Key: fieldID, Value: last}}, true, false)
		if err != nil {
			return sessionstore.Page{}, err
		}
		page.Next = string(next)
	}
	return page, nil
}

var _ sessionstore.Walker = (*Store)(nil)
