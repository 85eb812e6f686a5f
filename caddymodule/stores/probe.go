package stores

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Prober is implemented by stores that find out in a way of their own whether they could be used. For others it is a read of a
// session that is not there. It writes and creates nothing.
type Prober interface {
	Probe(ctx context.Context) error
}

const (
	// probeTimeout bounds how long it takes. It holds up nobody.
	probeTimeout = 5 * time.Second

	probeKey = "caddy-session-probe"
)

// probe logs what hinders the store, so that an operator learns of it at the start and not from users.
func (s *shared) probe(whole context.Context) {
	ctx, cancel := context.WithTimeout(whole, probeTimeout)
	defer cancel()
	var err error
	if p, ok := s.Store.(Prober); ok {
		err = p.Probe(ctx)
	} else {
		_, err = s.Get(ctx, probeKey)
	}
	if err != nil && whole.Err() == nil {
		s.logger.Load().Error("the session store cannot be used; sessions are out of reach until it can", zap.Error(err))
	}
}
