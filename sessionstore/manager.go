package sessionstore

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/combiner"
)

// The defaults of [Options].
const (
	DefaultIdleTimeout     = 24 * time.Hour
	DefaultAbsoluteTimeout = 31 * 24 * time.Hour
	DefaultRegenerateGrace = 10 * time.Second
	// DefaultRegenerateUnused is long enough for a user to notice that an answer was lost, and to
	// try again.
	DefaultRegenerateUnused = 5 * time.Minute
	DefaultStoreTimeout     = time.Second
	DefaultMaxSize          = 4000

	// defaultTouchShare is the part of the idle timeout that passes, by
	// default, before a session in use is touched again.
	defaultTouchShare = 20
)

const (
	// maxFlash is the most that the waiting messages of a session take together, as JSON, in bytes.
	// Beyond it the oldest goes.
	maxFlash = 4000

	// growth is how many times the allowed size a document may reach between
	// the operations of one change.
	growth = 2
)

var (
	// ErrInvalid means that a change can never be applied: it asks for something that is not
	// allowed or does not fit the data.
	ErrInvalid = errors.New("invalid change")

	// ErrTooLarge is the [ErrInvalid] of a change whose result is beyond a limit.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrInvalid)

	// ErrNeedsCookie is the [ErrInvalid] of a change after which the client would
	// need another cookie, asked for where none can be set: see [Session.NoCookie].
	ErrNeedsCookie = fmt.Errorf("%w: it would need a cookie, and none can be set here", ErrInvalid)
)

// Options say how a [Manager] keeps sessions. The zero value of each field
// stands for its default.
type Options struct {
	// Codec is the format of the records. Default: [Native].
	Codec Codec

	// IdleTimeout is how long a session lives after the last request. Default: 24 h.
	IdleTimeout time.Duration

	// AbsoluteTimeout is how long a session lives after its creation,
	// whatever happens. Default: 31 days.
	AbsoluteTimeout time.Duration

	// TouchInterval is how old the last touch of a session in use becomes before
	// it is touched again; a session may idle out that much early. Default: a
	// twentieth of the idle timeout; never more than that for a session
	// with a shorter idle timeout of its own.
	TouchInterval time.Duration

	// RegenerateGrace is how long the record of an emptied session is kept for requests under way.
	// A mark is kept as long, but three minutes at least. Default: 10 s.
	RegenerateGrace time.Duration

	// RegenerateUnused is how long an old id goes on working if the new one that the app has
	// asked for is not used: the answer may have been lost. Default: 5 min.
	RegenerateUnused time.Duration

	// StoreTimeout bounds every [Manager.Load] and every [Manager.Commit],
	// with all the store operations that each takes. Default: 1 s.
	StoreTimeout time.Duration

	// MaxSize is the most that the data of a session take as ASCII JSON, in
	// bytes. Default: 4000.
	MaxSize int

	// RegenerateOn are the fields whose change regenerates the id.
	RegenerateOn []Field

	// Permanent says whether the cookies of new sessions outlive the browser,
	// where the change that makes the session does not say it. Default: false.
	Permanent bool

	// CookieMark stands for the attributes of the client's cookie. A cookie that was set under
	// another mark needs to be set again: see [Session.CookieOutdated]. Native records hold the
	// mark. Default: none.
	CookieMark string

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Go runs work that goes on after the call that begins it, and that needs the store for some
	// minutes at most: undoing a regeneration that may have happened or not. Default: a goroutine.
	Go func(func())
}

// Manager loads sessions from a [Store] and commits changes to them, so that
// no change is lost and no ended session returns. It may be used by many
// goroutines at once. Any number of managers, in any number of processes, may share a store.
type Manager struct {
	store Store
	opts  Options

	// foreign is the codec, if it is of another program's format.
	foreign ForeignCodec

	moves moves

	mu     sync.Mutex
	queues map[string]*queue

	touches touches
}

// NewManager returns a manager of the sessions in store. It does not close the store.
func NewManager(store Store, opts Options) *Manager {
	if opts.Codec == nil {
		opts.Codec = Native{}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Go == nil {
		opts.Go = func(f func()) { go f() }
	}
	// Records hold the idle timeout in milliseconds.
	opts.IdleTimeout = cmp.Or(opts.IdleTimeout, DefaultIdleTimeout).Truncate(time.Millisecond)
	opts.AbsoluteTimeout = cmp.Or(opts.AbsoluteTimeout, DefaultAbsoluteTimeout)
	opts.TouchInterval = cmp.Or(opts.TouchInterval, opts.IdleTimeout/defaultTouchShare)
	opts.RegenerateGrace = cmp.Or(opts.RegenerateGrace, DefaultRegenerateGrace)
	opts.RegenerateUnused = cmp.Or(opts.RegenerateUnused, DefaultRegenerateUnused)
	opts.StoreTimeout = cmp.Or(opts.StoreTimeout, DefaultStoreTimeout)
	opts.MaxSize = cmp.Or(opts.MaxSize, DefaultMaxSize)
	foreign, _ := opts.Codec.(ForeignCodec)
	if foreign != nil {
		opts.CookieMark = ""
	}
	return &Manager{store: store, opts: opts, foreign: foreign, queues: make(map[string]*queue)}
}

// queue orders the changes of one record within this process. Those that wait
// are saved together, in one compare-and-set.
type queue struct {
	users   int
	changes *combiner.Combiner[*pending]

	// known is what the last leader left in the store, if it is known. Only
	// leaders use it.
	known *Entry
}

func (m *Manager) enter(key string) *queue {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[key]
	if q == nil {
		q = &queue{}
		q.changes = combiner.New(maxBatch, func(batch []*pending) { m.saveBatch(key, q, batch) })
		m.queues[key] = q
	}
	q.users++
	return q
}

func (m *Manager) leave(key string, q *queue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(m.queues, key)
	}
}
