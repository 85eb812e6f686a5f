package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

const (
	// indexTimeout bounds how long the index takes to be made, in a collection that may be large already.
	indexTimeout = 10 * time.Minute

	// indexPause is between two attempts.
	indexPause = 5 * time.Second
)

// indexOnce has the index made, once the server has answered.
func (s *Store) indexOnce() {
	if s.opts.CreateIndex {
		s.indexing.Do(func() { s.background.Go(s.index) })
	}
}

// index makes the index in the background, until the server has made or refused it. That it is there already is success; one
// of the same field with other options is refused, and left as it is.
func (s *Store) index() {
	for {
		verdict, err := s.makeIndex()
		switch {
		case err == nil || s.closing.Err() != nil:
			return
		case verdict == breaker.Answers:
			if s.opts.OnIndexError != nil {
				s.opts.OnIndexError(err)
			}
			return
		}
		select {
		case <-time.After(indexPause):
		case <-s.closing.Done():
			return
		}
	}
}

func (s *Store) makeIndex() (breaker.Verdict, error) {
	ctx, cancel := context.WithTimeout(s.closing, indexTimeout)
	defer cancel()
	collection, err := s.connect(ctx)
	if err != nil {
		return breaker.Nothing, err
	}
	start := time.Now()
	_, err = collection.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: own.Expires, Value: 1}},
		Options: options.Index().SetExpireAfterSeconds(0),
	})
	if err == nil {
		return breaker.Answers, nil
	}
	fault, verdict := s.judge(ctx, err, start)
	if fault != refused {
		verdict = breaker.Nothing
	}
	return verdict, shown{s.text(err), cause(ctx, err)}
}
