package phpsession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// flashesKey is the member of $_SESSION that holds the messages: a list of lists of a category and
// a message.
const flashesKey = "caddy_flash"

// readFlashes returns the messages in the form of a record. own reports false if the member is
// something of the app's.
func readFlashes(a *serialize.Array) (flash []byte, own bool) {
	v, found := a.Get(flashesKey)
	if !found {
		return nil, true
	}
	pairs, ok := v.Items()
	if !ok {
		return nil, false
	}
	var flashes []jsondoc.Value
	for _, pair := range pairs {
		both, ok := pair.Items()
		if !ok || len(both) != 2 {
			return nil, false
		}
		category, ok1 := both[0].Text()
		message, ok2 := both[1].Text()
		if !ok1 || !ok2 {
			return nil, false
		}
		flashes = append(flashes, jsondoc.NewArray(jsondoc.NewString(category), jsondoc.NewString(message)))
	}
	if len(flashes) == 0 {
		return nil, true
	}
	return jsondoc.NewArray(flashes...).AppendASCII(nil), true
}

var (
	errReserved = fmt.Errorf("%w: %s holds the messages and cannot be set as data: use X-Session-Flash", sessionstore.ErrInvalid, flashesKey)
	errTaken    = fmt.Errorf("%w: no place for messages: the app uses %s for something else", sessionstore.ErrInvalid, flashesKey)
)

// merge returns the changed session, in its former order.
func merge(was *serialize.Array, doc jsondoc.Value, flash []byte) (*serialize.Array, error) {
	_, own := readFlashes(was)
	if !own {
		if len(flash) > 0 {
			return nil, errTaken
		}
		return was.Merge(doc)
	}
	for name := range doc.Members() {
		if name == flashesKey {
			return nil, errReserved
		}
	}
	next, err := was.With(flashesKey, nil).Merge(doc)
	if err != nil || len(flash) == 0 {
		return next, err
	}
	list, err := jsondoc.Parse(flash, jsondoc.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: flash messages are corrupt", sessionstore.ErrRecord)
	}
	messages, err := serialize.New(list)
	if err != nil {
		return nil, err
	}
	return next.With(flashesKey, messages), nil
}
