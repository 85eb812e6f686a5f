package file

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// census counts the sessions in the folder. It learns of those that other processes create and
// delete when all files are counted again.
type census struct {
	mu     sync.Mutex
	count  int
	making int // sessions that are being created
	made   int // how many have ever been created
	times  int // how many times all have been counted

	pruning sync.Mutex
}

func (c *census) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// known reports whether the sessions have been counted.
func (c *census) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times > 0
}

// take reserves room for a new session, if there is room. count is the number of sessions.
func (c *census) take(threshold int) (taken bool, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken = threshold <= 0 || c.times > 0 && c.count+c.making < threshold
	if taken {
		c.making++
	}
	return taken, c.count
}

// born ends a reservation of take. made says whether the session was created.
func (c *census) born(made bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.making--
	if made {
		c.count++
		c.made++
	}
}

// leaving is called before a session is deleted. The caller passes its result to gone.
func (c *census) leaving() (times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times
}

// gone is called after a session was deleted. If all were counted meanwhile, it may not have been
// counted, so it is not subtracted.
func (c *census) gone(times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == times {
		c.count--
	}
}

// begin is called before all sessions are counted. The caller passes its result to counted.
func (c *census) begin() (made int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// counted sets the number of sessions that were found. Those created meanwhile may not be among
// them, and are added: it is safer to count too many.
func (c *census) counted(found, made int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = found + c.made - made
	c.times++
}

// errFull means that no session could be evicted, as all are in use at this moment.
var errFull = errors.New("the threshold is reached, and no session could be evicted")

// reserve reserves room for a new session, and evicts others if there is none.
func (s *Store) reserve(ctx context.Context) error {
	for {
		threshold := int(s.threshold.Load())
		taken, count := s.census.take(threshold)
		spare := spareOf(threshold)
		if taken {
			if threshold > 0 && count > threshold-spare/2 {
				select {
				case s.full <- struct{}{}: // so that callers rarely wait for an eviction
				default:
				}
			}
			return nil
		}
		if err := s.makeRoom(); err != nil {
			return err
		}
		if s.census.now() >= threshold {
			return errFull
		}
		// There is room, unless other callers have reserved it.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// spareOf is how many sessions are evicted at once.
func spareOf(threshold int) int { return max(threshold/10, 1) }

// makeRoom deletes expired sessions. If there are still too many, it evicts those that expire
// first.
func (s *Store) makeRoom() error {
	c := &s.census
	c.pruning.Lock()
	defer c.pruning.Unlock()
	threshold := int(s.threshold.Load())
	target := threshold - spareOf(threshold)
	if threshold <= 0 || c.known() && c.now() <= target {
		return nil // it has been done meanwhile
	}
	made := c.begin()
	type file struct {
		path     string
		deadline int64
	}
	var files []file
	err := s.eachFile(func(path string) {
		if h, err := readHeader(path); err == nil {
			files = append(files, file{path, h.deadline})
		}
	}, nil)
	if err != nil {
		return err
	}
	c.counted(len(files), made)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.deadline, b.deadline) })
	evicted := 0
	for _, f := range files {
		expired := f.deadline <= s.now()
		if !expired && c.now() <= target {
			break
		}
		if s.delete(f.path, f.deadline) && !expired {
			evicted++
		}
	}
	if evicted > 0 {
		s.o.OnEvict(evicted)
	}
	return nil
}
