package sessionstore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// Flash is a message that waits to be shown once.
type Flash struct {
	category string
	json     []byte
}

// DefaultCategory is the category of a message that comes without one.
const DefaultCategory = "message"

// ParseFlash makes a message of ["category","message"] or of a JSON string alone.
func ParseFlash(v jsondoc.Value) (Flash, error) {
	if v.Kind() == jsondoc.String {
		return newFlash(DefaultCategory, append([]byte(`["`+DefaultCategory+`",`), append(v.AppendASCII(nil), ']')...))
	}
	items := v.Items()
	if len(items) != 2 || !texts(items) {
		return Flash{}, fmt.Errorf("%w: a flash is [\"category\",\"message\"] or a string", ErrInvalid)
	}
	return newFlash(items[0].String(), v.AppendASCII(nil))
}

// texts reports whether the first two items are strings.
func texts(items []jsondoc.Value) bool {
	return items[0].Kind() == jsondoc.String && items[1].Kind() == jsondoc.String
}

func newFlash(category string, json []byte) (Flash, error) {
	if len(json)+len("[]") > MaxFlash {
		return Flash{}, fmt.Errorf("%w: a flash of %d bytes, at most %d are kept", ErrTooLarge, len(json), MaxFlash-len("[]"))
	}
	return Flash{category: category, json: json}, nil
}

// ParseFlashes reads the messages of a record, the reverse of [JoinFlashes]: each ["category","message"], or with a third item,
// the message as a framework has it that does not keep it as a string. That is not shown to backends. Errors wrap [ErrRecord].
func ParseFlashes(array []byte) ([]Flash, error) {
	if len(array) == 0 {
		return nil, nil
	}
	v, err := jsondoc.Parse(array, MaxDepth)
	if err != nil || v.Kind() != jsondoc.Array {
		return nil, errFlashes
	}
	flashes := make([]Flash, 0, v.Len()+1)
	for _, item := range v.Items() {
		items := item.Items()
		if len(items) != 2 && len(items) != 3 || !texts(items) {
			return nil, errFlashes
		}
		flashes = append(flashes, Flash{category: items[0].String(), json: item.AppendASCII(nil)})
	}
	return flashes, nil
}

var errFlashes = fmt.Errorf("%w: its messages are damaged", ErrRecord)

// JoinFlashes returns the messages as a record has them.
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

// DiffFlashes returns which messages are in after and not in before, and the other way round. Equal ones are counted.
func DiffFlashes(before, after []Flash) (added, gone []Flash) {
	gone = slices.Clone(before)
	for _, f := range after {
		if i := slices.IndexFunc(gone, f.equal); i >= 0 {
			gone = slices.Delete(gone, i, i+1)
		} else {
			added = append(added, f)
		}
	}
	return added, gone
}

func (f Flash) equal(other Flash) bool { return bytes.Equal(f.json, other.json) }

// shown returns stored messages without what is not for backends.
func shown(stored []byte) []byte {
	if !bytes.ContainsAny(stored, "{") {
		return stored
	}
	v, err := jsondoc.Parse(stored, MaxDepth)
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

// applyFlashes returns the messages that wait after the change, where waiting
// waited before and the request was given those in given.
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
		if i := slices.IndexFunc(flashes, s.equal); i >= 0 {
			flashes = slices.Delete(flashes, i, i+1)
		}
	}
	flashes = append(flashes, c.Flashes...)
	size := len("[]")
	for i := len(flashes) - 1; i >= 0; i-- {
		if size += len(flashes[i].json) + len(","); size-len(",") > MaxFlash {
			flashes = flashes[i+1:]
			break
		}
	}
	return JoinFlashes(flashes), nil
}
