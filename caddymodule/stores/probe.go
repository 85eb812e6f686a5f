package stores

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Prober is implemented by stores with their own check of whether they can be used. For other
// stores the check reads a session that does not exist. Probe must not write or create anything.
type Prober interface {
	Probe(ctx context.Context) error
}

const (
	// probeTimeout bounds the check. Nothing waits for it.
	probeTimeout = 5 * time.Second

	probeKey = "caddy-session-probe"
)

// probe logs why the store cannot be used, so that an operator learns of it at start and not from
// users.
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
		s.logger.Load().Error("the session store cannot be used; sessions are unavailable until it can", zap.Error(err))
	}
}
