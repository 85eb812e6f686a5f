package mongodb

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// making is a client on its way.
type making struct {
	done chan struct{}
	err  error
}

// connect returns the collection, of a client that is made when it is needed: a URI that has to be looked up in the DNS is looked up by
// that, which knows no context.
func (s *Store) connect(ctx context.Context) (*mongo.Collection, error) {
	s.mu.Lock()
	if s.collection != nil {
		defer s.mu.Unlock()
		return s.collection, nil
	}
	if s.making == nil {
		s.making = &making{done: make(chan struct{})}
		go s.makeClient(s.making)
	}
	m := s.making
	s.mu.Unlock()
	select {
	case <-m.done:
	case <-ctx.Done():
		return nil, lookupError{ctx.Err()}
	}
	if m.err != nil {
		return nil, lookupError{m.err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.collection, nil
}

// makeClient may outlive the store.
func (s *Store) makeClient(m *making) {
	client, err := s.newClient()
	s.mu.Lock()
	s.making, m.err = nil, err
	closed := s.closed
	if err == nil && !closed {
		s.collection = client.Database(s.opts.Database).Collection(s.opts.Collection)
	}
	s.mu.Unlock()
	close(m.done)
	if err == nil && closed {
		_ = disconnect(client)
	}
}

func (s *Store) newClient() (*mongo.Client, error) {
	opts := s.opts
	options, err := s.source.client(&opts)
	if err != nil {
		return nil, err
	}
	// One more is for the index, which may take minutes.
	return mongo.Connect(options.SetMaxPoolSize(uint64(s.opts.PoolSize) + 1))
}

// lookupError says that there is no client yet.
type lookupError struct{ error }

func (e lookupError) Unwrap() error { return e.error }

// disconnect ends the connections. The server is told which sessions of the driver have ended, if it can be reached soon.
func disconnect(client *mongo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	if err := client.Disconnect(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

const disconnectTimeout = 2 * time.Second
