package file

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// census counts the sessions in the folder, as far as this process knows: those that others make and delete it learns of
// whenever all are looked at.
type census struct {
	mu     sync.Mutex
	count  int
	making int // sessions that are being made
	made   int // ever
	times  int // that all have been counted

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

// take reserves room for a session that is to be made, if there is any. Afterwards count is how many there are.
func (c *census) take(threshold int) (taken bool, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken = threshold <= 0 || c.times > 0 && c.count+c.making < threshold
	if taken {
		c.making++
	}
	return taken, c.count
}

// born ends what take has begun.
func (c *census) born(made bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.making--
	if made {
		c.count++
		c.made++
	}
}

// leaving is called before a session is deleted, and what it returns goes to gone.
func (c *census) leaving() (times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times
}

// gone is called when it has been. If all were counted meanwhile, it may not have been among them.
func (c *census) gone(times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == times {
		c.count--
	}
}

// begin is called before the sessions are looked at, and what it returns goes to counted.
func (c *census) begin() (made int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// counted learns how many were found. Those that were made meanwhile may be among them or not: it is better to count too many.
func (c *census) counted(found, made int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count = found + c.made - made
	c.times++
}

// errFull means that nothing could make room: all that is there is being used at this moment.
var errFull = errors.New("there are as many sessions as the threshold allows, and none could make room")

// reserve makes room for a session that is to be made.
func (s *Store) reserve(ctx context.Context) error {
	for {
		threshold := int(s.threshold.Load())
		taken, count := s.census.take(threshold)
		spare := spareOf(threshold)
		if taken {
			if threshold > 0 && count > threshold-spare/2 {
				select {
				case s.full <- struct{}{}: // so that hardly anybody has to wait for room
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
		// There is room, unless others are about to fill it.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// spareOf is how much room is made at once.
func spareOf(threshold int) int { return max(threshold/10, 1) }

// makeRoom deletes what has expired and, if there are still too many, evicts the soonest to expire.
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
