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

	pruning chan struct{} // has room for the one who makes room
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

// take reserves room for a new session, if there is room. Until the sessions have been counted,
// there is: a request does not wait until all files have been read. full says that the sweeper
// should make room.
func (c *census) take(threshold int) (taken, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	full = c.isFull(threshold)
	taken = threshold <= 0 || c.times == 0 || c.count+c.making < threshold
	if taken {
		c.making++
	}
	return taken, full
}

// full reports whether sessions should be counted or evicted.
func (c *census) full(threshold int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isFull(threshold)
}

// isFull is full. The caller holds mu. A store is full shortly before it has reached the threshold,
// so that callers rarely wait for an eviction.
func (c *census) isFull(threshold int) bool {
	return threshold > 0 && (c.times == 0 || c.count+c.making >= threshold || c.count > threshold-spareOf(threshold)/2)
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

// begin is called before all sessions are counted. The caller passes its results to counted.
func (c *census) begin() (made, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made, c.times
}

// counted sets the number of sessions that were found, unless another count has ended meanwhile:
// sessions may have been evicted since, after they were found here. Those created meanwhile may not
// have been found, and are added: it is safer to count too many.
func (c *census) counted(found, made, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == times {
		c.count = found + c.made - made
		c.times++
	}
}

// errFull means that no session could be evicted, as all are in use at this moment.
var errFull = errors.New("the threshold is reached, and no session could be evicted")

// reserve reserves room for a new session, and evicts others if there is none. Others work while it
// waits for that.
func (s *Store) reserve(ctx context.Context) error {
	for {
		threshold := int(s.threshold.Load())
		taken, full := s.census.take(threshold)
		if taken {
			if full {
				select {
				case s.full <- struct{}{}:
				default:
				}
			}
			return nil
		}
		var err error
		s.crew.Idle(func() {
			if err = s.makeRoom(ctx); err == nil && s.census.now() >= threshold {
				err = errFull
			}
			if err == nil {
				// There is room, unless other callers have reserved it.
				select {
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
			}
		})
		if err = cmp.Or(err, ctx.Err(), s.place.Check()); err != nil {
			return err
		}
	}
}

// spareOf is how many sessions are evicted at once.
func spareOf(threshold int) int { return max(threshold/10, 1) }

// makeRoom deletes expired sessions. If there are still too many, it evicts those that expire
// first. It waits until ctx ends for another who does so.
func (s *Store) makeRoom(ctx context.Context) error {
	c := &s.census
	select {
	case c.pruning <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.pruning }()
	threshold := int(s.threshold.Load())
	if !c.full(threshold) {
		return nil // it has been done meanwhile
	}
	made, times := c.begin()
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
	c.counted(len(files), made, times)
	target := threshold
	if c.full(threshold) {
		target -= spareOf(threshold)
	}
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
