package jsondoc

import "fmt"

// MaxMoved is how many bytes the edits of one change may move together. An insertion into a list
// moves all items after it, and every edit writes its document again. Without a limit, hundreds of
// edits of the largest documents would take seconds.
const MaxMoved = 4 << 20

var errMoved = fmt.Errorf("%w: the operations of one change move more than %d bytes together", ErrTooLarge, MaxMoved)

// Budget is what all edits of one change may use together. Make one with [NewBudget]. Only one
// goroutine may use it at a time.
type Budget struct {
	maxSize int
	moved   int
}

// NewBudget returns a budget for results of at most maxSize bytes of ASCII each, and for [MaxMoved]
// bytes that are moved.
func NewBudget(maxSize int) *Budget { return &Budget{maxSize: maxSize} }

// Size returns [ErrTooLarge] if a result of this size is too large.
func (b *Budget) Size(size int) error {
	if size > b.maxSize {
		return ErrTooLarge
	}
	return nil
}

// Move subtracts moved bytes from the budget. If so many are not left, the error wraps
// [ErrTooLarge].
func (b *Budget) Move(bytes int) error {
	if b.moved += bytes; b.moved > MaxMoved {
		return errMoved
	}
	return nil
}
