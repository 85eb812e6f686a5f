// Package redis does to Redis whatever may happen to it, while two proxies with 64 clients use it. Afterwards a checker reads
// the history: what was answered is there, nothing happened twice, no session shows another's data, and
// nobody has waited longer than was promised.
//
// It is a package of its own, so that its minute of load does not come on top of the other faults'. What else the machine
// does meanwhile, with go test ./... or on its own, is measured beside each request: see pace.
package redis

import "sync"

// load is held by the test whose clients are at work. The servers of the others start meanwhile.
var load sync.Mutex
