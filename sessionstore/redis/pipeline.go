package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/combiner"
)

// pipeline has the commands of concurrent requests share round trips to a server. A command that is alone is sent at
// once, as without; those that come while a round trip is under way share the next. A server that takes its time
// is not waited for: then other lanes are used.
//
// go-redis has an auto-pipeline too. It costs more when few commands come at once, and in a Cluster it has all servers
// wait for the slowest.
type pipeline struct {
	node  *goredis.Client
	lanes [lanes]lane
}

const (
	// lanes is how many shared round trips to a server are under way at once at most.
	lanes = 16

	// maxBatch is how many commands share a round trip at most.
	maxBatch = 128

	// soon is how old a round trip may be for its end to be waited for.
	soon = 30 * time.Microsecond
)

// lane makes one round trip after another.
type lane struct {
	commands *combiner.Combiner[*queued]

	// since is when the round trip under way began, on the clock of now; 0 if none is.
	since atomic.Int64
}

// queued is a command that waits for its round trip.
type queued struct {
	ctx     context.Context
	command *command
}

func newPipeline(node *goredis.Client) *pipeline {
	p := &pipeline{node: node}
	for i := range p.lanes {
		l := &p.lanes[i]
		l.commands = combiner.NewYielding(maxBatch, func(batch []*queued) { p.send(l, batch) })
	}
	return p
}

// do sends a command and returns its error. If the context has ended, the command may still be on its way.
func (p *pipeline) do(ctx context.Context, c *command) error {
	if err := p.lane().commands.Do(ctx, &queued{ctx, c}); err != nil {
		if ctx.Err() == nil {
			c.uncertain = true // the round trip has broken down
		}
		return err
	}
	return c.Err()
}

// lane returns the first lane that is free, or will soon be.
func (p *pipeline) lane() *lane {
	t := now()
	longest := &p.lanes[0]
	for i := range p.lanes {
		l := &p.lanes[i]
		since := l.since.Load()
		if since == 0 || t-since < int64(soon) {
			return l
		}
		if since < longest.since.Load() {
			longest = l
		}
	}
	return longest
}

// send makes a round trip. It ends when the request that makes it must have its answer: for the others it is then an
// attempt that has failed.
func (p *pipeline) send(l *lane, batch []*queued) {
	l.since.Store(now())
	defer l.since.Store(0)
	ctx := batch[0].ctx
	if len(batch) == 1 {
		_ = p.node.Process(ctx, batch[0].command)
		return
	}
	pipe := p.node.Pipeline()
	for _, q := range batch {
		_ = pipe.Process(ctx, q.command)
	}
	_, _ = pipe.Exec(shared{ctx}) // each command has its own error
}

// shared is the context of a request that works for others too: that its client hangs up does not concern them.
type shared struct{ context.Context }

func (shared) Done() <-chan struct{} { return nil }
func (shared) Err() error            { return nil }

// pipelines are those to the servers: to several only in a Cluster.
type pipelines struct{ byNode sync.Map }

func (ps *pipelines) to(node *goredis.Client) *pipeline {
	if p, ok := ps.byNode.Load(node); ok {
		return p.(*pipeline)
	}
	p, _ := ps.byNode.LoadOrStore(node, newPipeline(node))
	return p.(*pipeline)
}

func (ps *pipelines) forget(node *goredis.Client) { ps.byNode.Delete(node) }

var started = time.Now()

// now is a clock that costs half of [time.Now]. It never shows 0.
func now() int64 { return int64(time.Since(started)) + 1 }
