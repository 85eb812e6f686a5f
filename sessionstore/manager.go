package sessionstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/combiner"
)

// The defaults of [Options].
const (
	DefaultIdleTimeout     = 24 * time.Hour
	DefaultAbsoluteTimeout = 31 * 24 * time.Hour
	DefaultRegenerateGrace = 10 * time.Second
	// DefaultRegenerateUnused leaves a user the time to notice that a response was lost, and to try
	// again.
	DefaultRegenerateUnused = 5 * time.Minute
	DefaultStoreTimeout     = time.Second
	DefaultMaxSize          = 4000

	// defaultTouchShare is how many times the default TouchInterval is in the idle timeout.
	defaultTouchShare = 20
)

const (
	// maxFlash is the maximum size of the waiting messages of a session together, as JSON, in
	// bytes. Beyond it, the oldest one is deleted.
	maxFlash = 4000

	// longest is the longest timeout, 73 years. So the time of an index, which is that of a session
	// and two touch intervals, does not overflow.
	longest = time.Duration(math.MaxInt64 / 4)

	// growth is how many times larger than allowed a document may be between the operations of one
	// change.
	growth = 2
)

var (
	// ErrInvalid means that a change can never be applied: it is not allowed, or the data are not
	// as it expects.
	ErrInvalid = errors.New("invalid change")

	// ErrTooLarge is an [ErrInvalid]: the result of the change is beyond a limit.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrInvalid)

	// ErrNeedsCookie is an [ErrInvalid]: after the change, the client would need another cookie,
	// and none can be set. See [Session.NoCookie].
	ErrNeedsCookie = fmt.Errorf("%w: it would need a cookie, and none can be set here", ErrInvalid)
)

// Options say how a [Manager] keeps sessions. The zero value of each field means its default.
type Options struct {
	// Codec is the format of the records. Default: [Native].
	Codec Codec

	// IdleTimeout is how long a session lives after the last request. Default: 24 h.
	IdleTimeout time.Duration

	// AbsoluteTimeout is how long a session lives after its creation, even if it is used. Default:
	// 31 days.
	AbsoluteTimeout time.Duration

	// TouchInterval is the shortest time between two touches of a session in use. A session may end
	// this much before its idle timeout. For a session with a shorter idle timeout of its own, it
	// is at most a twentieth of that. Default: a twentieth of IdleTimeout.
	TouchInterval time.Duration

	// RegenerateGrace is how long the record of an emptied session is kept for requests under way.
	// Marks are kept as long, and three minutes at least. Default: 10 s.
	RegenerateGrace time.Duration

	// RegenerateUnused is how long an old id stays valid if nobody uses the new one that the app
	// has asked for: the response may have been lost. Default: 5 min.
	RegenerateUnused time.Duration

	// StoreTimeout is the time limit of each [Manager.Load] and [Manager.Commit], with all their
	// operations of the store. A destroy that fails may take it a second time, to undo what it
	// began. Default: 1 s.
	StoreTimeout time.Duration

	// MaxSize is the maximum size of a session's data, in bytes of ASCII JSON. Default: 4000.
	MaxSize int

	// RegenerateOn are the fields whose change gives the session a new id. User is always one of
	// them. Default: none.
	RegenerateOn []Field

	// User is the field that says who has logged in: a string or a number of at most 256 bytes
	// without control characters. Any other value means that nobody has logged in. In the native
	// format, the sessions of each user are listed in the same store: see [Manager.UserSessions].
	// Default: none.
	User Field

	// MaxUserSessions is how many sessions a user may have. At a login beyond it, the user's
	// session that was used least recently ends. With RefuseLogins, the login is refused with
	// [ErrUserLimit]. Both need User and the native format. Default: 1000, which is the maximum.
	MaxUserSessions int
	RefuseLogins    bool

	// RememberClient says that records contain the [Session.Client] of the first and of the last
	// recorded use. It needs the native format. Default: false.
	RememberClient bool

	// AnonymousTimeout is the idle timeout of sessions that nobody has logged in to. It needs User.
	// Default: IdleTimeout.
	AnonymousTimeout time.Duration

	// Permanent says whether the cookies of new sessions outlive the browser, unless the change
	// that begins the session says it. Default: false.
	Permanent bool

	// CookieMark is a text that stands for the attributes of the client's cookie. A cookie that was
	// set with another mark should be set again: see [Session.CookieOutdated]. Native records
	// contain the mark. Default: none.
	CookieMark string

	// Ended is called for each record that the manager has ended, with its Key and Created. The
	// session may have ended too, or have got a new id: see [Manager.Look]. It must not block.
	// Default: none.
	Ended func(Place)

	// OnLimit is called when a session has ended because its user has too many, and OnEndOthers
	// with the number of sessions that a change has ended by its EndOthers. Both must not block.
	// Default: none.
	OnLimit     func()
	OnEndOthers func(n int)

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Go runs work that goes on after the call that begins it, and that uses the store for some
	// minutes at most: it undoes a new id that may have been saved or not, or a new session that no
	// client has got. Default: a goroutine.
	Go func(func())
}

// Manager loads sessions from a [Store] and commits changes to them. No change is lost, and no
// ended session returns. It is safe for concurrent use. Any number of managers, in any number of
// processes, may share a store.
type Manager struct {
	store Store
	opts  Options

	// foreign is the codec, if it is of another program's format.
	foreign ForeignCodec

	// userField is the text of Options.User.
	userField string

	moves moves

	// sessions are the queues of records, and indexes those of indexes.
	sessions queues[*pending]
	indexes  queues[*listing]

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
	opts.IdleTimeout = min(cmp.Or(opts.IdleTimeout, DefaultIdleTimeout), longest).Truncate(time.Millisecond)
	opts.AbsoluteTimeout = min(cmp.Or(opts.AbsoluteTimeout, DefaultAbsoluteTimeout), longest)
	opts.TouchInterval = min(cmp.Or(opts.TouchInterval, opts.IdleTimeout/defaultTouchShare), longest)
	opts.RegenerateGrace = cmp.Or(opts.RegenerateGrace, DefaultRegenerateGrace)
	opts.RegenerateUnused = cmp.Or(opts.RegenerateUnused, DefaultRegenerateUnused)
	opts.StoreTimeout = cmp.Or(opts.StoreTimeout, DefaultStoreTimeout)
	opts.MaxSize = cmp.Or(opts.MaxSize, DefaultMaxSize)
	opts.AnonymousTimeout = min(cmp.Or(opts.AnonymousTimeout, opts.IdleTimeout), longest).Truncate(time.Millisecond)
	foreign, _ := opts.Codec.(ForeignCodec)
	if foreign != nil {
		opts.CookieMark, opts.AnonymousTimeout = "", opts.IdleTimeout
	}
	m := &Manager{store: store, opts: opts, foreign: foreign, userField: opts.User.String()}
	if m.userField != "" {
		m.opts.RegenerateOn = append(slices.Clip(opts.RegenerateOn), opts.User)
	} else {
		m.opts.AnonymousTimeout = opts.IdleTimeout
	}
	m.sessions.save, m.indexes.save = m.saveBatch, m.saveIndex
	return m
}

// queues order the changes of each record within this process. Those that wait for one record are
// saved together, in one compare-and-set.
type queues[T any] struct {
	save func(key string, q *queue[T], batch []T)

	mu    sync.Mutex
	byKey map[string]*queue[T]
}

type queue[T any] struct {
	users   int
	changes *combiner.Combiner[T]

	// known is the record that the last leader has left in the store, or nil. Only leaders use it.
	known *Entry
}

// do returns when a change of the record under key has been saved or refused.
func (qs *queues[T]) do(ctx context.Context, key string, change T) error {
	q := qs.enter(key)
	defer qs.leave(key, q)
	if err := q.changes.Do(ctx, change); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// together returns a context with the earliest deadline of a batch. It does not end if one of the
// callers gives up.
func together[T any](batch []T, of func(T) context.Context) (context.Context, context.CancelFunc) {
	until, limited := of(batch[0]).Deadline()
	for _, change := range batch[1:] {
		if at, ok := of(change).Deadline(); ok && (!limited || at.Before(until)) {
			until, limited = at, true
		}
	}
	ctx := context.WithoutCancel(of(batch[0]))
	if !limited {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, until)
}

func (qs *queues[T]) enter(key string) *queue[T] {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q := qs.byKey[key]
	if q == nil {
		q = &queue[T]{}
		q.changes = combiner.New(maxBatch, func(batch []T) { qs.save(key, q, batch) })
		if qs.byKey == nil {
			qs.byKey = make(map[string]*queue[T])
		}
		qs.byKey[key] = q
	}
	q.users++
	return q
}

func (qs *queues[T]) leave(key string, q *queue[T]) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(qs.byKey, key)
	}
}
