package sessionstore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// Flash is a message that waits to be shown once. Two are equal (==) if their messages and
// categories are.
type Flash struct {
	category string
	json     string // ["category","message"]
}

// defaultCategory is the category of a message without one.
const defaultCategory = "message"

// ParseFlash reads a message in JSON: ["category","message"], or a string, whose category is
// "message". An error wraps [ErrInvalid].
func ParseFlash[T ~string | ~[]byte](text T) (Flash, error) {
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		return Flash{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if v.Kind() == jsondoc.String {
		return newFlash(defaultCategory, jsondoc.NewArray(jsondoc.NewString(defaultCategory), v))
	}
	items := v.Items()
	if len(items) != 2 || !texts(items) {
		return Flash{}, fmt.Errorf("%w: a flash is [\"category\",\"message\"] or a string", ErrInvalid)
	}
	return newFlash(items[0].String(), v)
}

// texts reports whether the first two items are strings.
func texts(items []jsondoc.Value) bool {
	return items[0].Kind() == jsondoc.String && items[1].Kind() == jsondoc.String
}

func newFlash(category string, v jsondoc.Value) (Flash, error) {
	if v.Size()+len("[]") > maxFlash {
		return Flash{}, fmt.Errorf("%w: a flash of %d bytes, at most %d are kept", ErrTooLarge, v.Size(), maxFlash-len("[]"))
	}
	return Flash{category: category, json: v.ASCII()}, nil
}

// ParseFlashes reads the messages of a record, as [JoinFlashes] returns them. Each is
// ["category","message"]. A third item is the message in a framework's own form, if that is no
// string. Apps do not get it. Errors wrap [ErrRecord].
func ParseFlashes(array []byte) ([]Flash, error) {
	if len(array) == 0 {
		return nil, nil
	}
	v, err := jsondoc.Parse(array, jsondoc.MaxDepth)
	if err != nil || v.Kind() != jsondoc.Array {
		return nil, errFlashes
	}
	flashes := make([]Flash, 0, v.Len()+1)
	for _, item := range v.Items() {
		items := item.Items()
		if len(items) != 2 && len(items) != 3 || !texts(items) {
			return nil, errFlashes
		}
		flashes = append(flashes, Flash{category: items[0].String(), json: item.ASCII()})
	}
	return flashes, nil
}

var errFlashes = fmt.Errorf("%w: its messages are damaged", ErrRecord)

// JoinFlashes returns messages in the form that a record contains.
func JoinFlashes(flashes []Flash) []byte {
	if len(flashes) == 0 {
		return nil
	}
	array := []byte{'['}
	for i, f := range flashes {
		if i > 0 {
			array = append(array, ',')
		}
		array = append(array, f.json...)
	}
	return append(array, ']')
}

// shown returns stored messages as apps get them, without third items.
func shown(stored []byte) []byte {
	if !bytes.Contains(stored, []byte(`",[`)) {
		return stored
	}
	v, err := jsondoc.Parse(stored, jsondoc.MaxDepth)
	if err != nil {
		return stored
	}
	var pairs []jsondoc.Value
	for _, item := range v.Items() {
		items := item.Items()
		pairs = append(pairs, jsondoc.NewArray(items[:min(2, len(items))]...))
	}
	return jsondoc.NewArray(pairs...).AppendASCII(nil)
}

// applyFlashes returns the messages after the change. waiting are those before it, and given those
// that the request got.
func (c *Change) applyFlashes(waiting, given []byte) ([]byte, error) {
	if len(c.Flashes) == 0 && !c.FlashSeen && len(c.Shown) == 0 {
		return waiting, nil
	}
	flashes, err := ParseFlashes(waiting)
	if err != nil {
		return nil, err
	}
	seen := c.Shown
	if c.FlashSeen {
		all, err := ParseFlashes(given)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			if c.FlashCategories == nil || slices.Contains(c.FlashCategories, f.category) {
				seen = append(slices.Clip(seen), f)
			}
		}
	}
	for _, s := range seen {
		if i := slices.Index(flashes, s); i >= 0 {
			flashes = slices.Delete(flashes, i, i+1)
		}
	}
	flashes = append(flashes, c.Flashes...)
	size := len("[]")
	for i, message := range slices.Backward(flashes) {
		if size += len(message.json) + len(","); size-len(",") > maxFlash {
			flashes = flashes[i+1:]
			break
		}
	}
	return JoinFlashes(flashes), nil
}
