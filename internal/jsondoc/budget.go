package jsondoc

import "fmt"

// MaxMoved is how many bytes the edits of one change may move together. An insertion into a list moves what stands behind it,
// and every edit writes its document anew: hundreds of them to the largest documents would take seconds.
const MaxMoved = 4 << 20

var errMoved = fmt.Errorf("%w: the operations of one change move more than %d bytes together", ErrTooLarge, MaxMoved)

// Budget is what the edits of one change may use, all of them together. Make one with [NewBudget]. It may not be used by several
// goroutines at once.
type Budget struct {
	maxSize int
	moved   int
}

// NewBudget returns a budget for results of at most maxSize bytes of ASCII each, and for [MaxMoved] bytes that are moved.
func NewBudget(maxSize int) *Budget { return &Budget{maxSize: maxSize} }

// Size returns [ErrTooLarge] if a result of this size is too large.
func (b *Budget) Size(size int) error {
	if size > b.maxSize {
		return ErrTooLarge
	}
	return nil
}

// Move takes bytes that are moved out of the budget, or returns an error that wraps [ErrTooLarge] if there are not so many in it.
func (b *Budget) Move(bytes int) error {
	if b.moved += bytes; b.moved > MaxMoved {
		return errMoved
	}
	return nil
}
