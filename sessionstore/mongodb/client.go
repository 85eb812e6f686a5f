package mongodb

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// dialing is the creation of a client that is under way.
type dialing struct {
	done chan struct{}
	err  error
}

// connect returns the collection. It creates the client on first use, because the driver resolves a
// mongodb+srv:// URI in DNS at once and without a context.
func (s *Store) connect(ctx context.Context) (*mongo.Collection, error) {
	s.mu.Lock()
	if s.collection != nil {
		defer s.mu.Unlock()
		return s.collection, nil
	}
	if s.dialing == nil {
		s.dialing = &dialing{done: make(chan struct{})}
		go s.makeClient(s.dialing)
	}
	m := s.dialing
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

// makeClient may run on after the store is closed.
func (s *Store) makeClient(m *dialing) {
	client, err := s.newClient()
	s.mu.Lock()
	s.dialing, m.err = nil, err
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
