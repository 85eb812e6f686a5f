package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
)

const (
	// indexTimeout bounds creating the index. The collection may be large already.
	indexTimeout = 10 * time.Minute

	// indexPause is the wait between two attempts.
	indexPause = 5 * time.Second

	// indexInterval is the wait after a success. The index goes with the collection when somebody
	// drops it, or restores it without indexes.
	indexInterval = time.Hour
)

// indexOnce starts creating the index, after the server has replied once.
func (s *Store) indexOnce() {
	if s.opts.CreateIndex {
		s.indexing.Do(func() { s.background.Go(s.index) })
	}
}

// index creates the index in the background, and again if it has gone, until the server refuses it.
// An identical index counts as success. The server refuses an index of the same field with other
// options; that index stays as it is.
func (s *Store) index() {
	for {
		pause := indexPause
		verdict, err := s.makeIndex()
		switch {
		case s.closing.Err() != nil:
			return
		case err == nil:
			pause = s.indexInterval
		case verdict == breaker.Answers:
			if s.opts.OnIndexError != nil {
				s.opts.OnIndexError(err)
			}
			return
		}
		select {
		case <-time.After(pause):
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
	fault, verdict := s.classify(ctx, err, start)
	if fault != refused {
		verdict = breaker.Nothing
	}
	return verdict, remote.Redact(ctx, err, s.text(err))
}
