package mongodb

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// connect returns the collection. It creates the client on first use, because the driver resolves a
// mongodb+srv:// URI in DNS at once and without a context.
func (s *Store) connect(ctx context.Context) (*mongo.Collection, error) {
	if made := s.collection.Load(); made != nil {
		return made, nil
	}
	select {
	case made := <-s.dialing.DoChan("", s.makeClient):
		if made.Err != nil {
			return nil, lookupError{made.Err}
		}
		return made.Val.(*mongo.Collection), nil
	case <-ctx.Done():
		return nil, lookupError{ctx.Err()}
	}
}

// makeClient may run on after the store is closed.
func (s *Store) makeClient() (any, error) {
	if made := s.collection.Load(); made != nil {
		return made, nil // another attempt has just ended
	}
	client, err := s.newClient()
	if err != nil {
		return nil, err
	}
	made := client.Database(s.opts.Database).Collection(s.opts.Collection)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		go func() { _ = disconnect(client) }()
	} else {
		s.collection.Store(made)
	}
	return made, nil
}

func (s *Store) newClient() (*mongo.Client, error) {
	opts := s.opts
	options, err := s.source.client(&opts)
	if err != nil {
		return nil, err
	}
	// One more is for creating the index, which may take minutes.
	return mongo.Connect(options.SetMaxPoolSize(uint64(s.opts.PoolSize) + 1))
}

// lookupError says that the client could not be created.
type lookupError struct{ error }

func (e lookupError) Unwrap() error { return e.error }

// disconnect closes the connections. It tells the server which driver sessions have ended, if the
// server is reachable within [disconnectTimeout].
func disconnect(client *mongo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	if err := client.Disconnect(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

const disconnectTimeout = 2 * time.Second
