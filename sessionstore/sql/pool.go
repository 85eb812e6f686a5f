package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// pool is a set of connections. A request waits here for a free connection, so that the wait does
// not count as a slow database.
type pool struct {
	connector driver.Connector
	opts      *Options
	slots     chan struct{}
	prepare   bool

	mu       sync.Mutex
	now      *sql.DB
	prepared map[string]*sql.Stmt
	renewed  time.Time
	closing  sync.WaitGroup
}

func newPool(c driver.Connector, d *Driver, o *Options, single bool) *pool {
	size := o.PoolSize
	if single {
		size = 1
	}
	p := &pool{
		connector: &connector{c, o.DialTimeout}, opts: o,
		slots: make(chan struct{}, size), prepare: d.Prepare,
	}
	p.open()
	return p
}

// open creates the set of connections without connecting.
func (p *pool) open() {
	p.now, p.prepared = sql.OpenDB(p.connector), make(map[string]*sql.Stmt)
	p.now.SetMaxOpenConns(cap(p.slots))
	p.now.SetMaxIdleConns(cap(p.slots))
	p.now.SetConnMaxIdleTime(p.opts.MaxIdleTime)
	p.now.SetConnMaxLifetime(p.opts.MaxLifetime)
}

// db returns the set of connections in use.
func (p *pool) db() *sql.DB {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// renewInterval is the minimum time between two replacements of all connections, for the case that
// new ones lead to a read-only server too.
const renewInterval = time.Second

// renew replaces the connections if old is the current set. It reports whether there is a new set.
func (p *pool) renew(old *sql.DB) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != old {
		return true
	}
	if time.Since(p.renewed) < renewInterval {
		return false
	}
	p.renewed = time.Now()
	statements := p.prepared
	p.open()
	p.closing.Go(func() { _ = closeAll(old, statements) }) // waits for the statements under way
	return true
}

func closeAll(db *sql.DB, statements map[string]*sql.Stmt) error {
	for _, statement := range statements {
		_ = statement.Close()
	}
	return db.Close()
}

// acquire waits for a free connection.
func (p *pool) acquire(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.slots }

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing.Wait()
	return closeAll(p.now, p.prepared)
}

// errTooLarge says that a value is larger than [sessionstore.MaxValue] and was not read.
var errTooLarge = errors.New("the value is too large")

// record runs a query for one record. The value is nil if there is none.
func (p *pool) record(ctx context.Context, text string, key string) (value []byte, left time.Duration, err error) {
	rows, err := p.query(ctx, text, key)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, 0, rows.Err()
	}
	var microseconds int64
	var size sql.NullInt64
	if err := rows.Scan(&value, &microseconds, &size); err != nil {
		return nil, 0, err
	}
	if size.Int64 > sessionstore.MaxValue {
		return nil, 0, errors.Join(errTooLarge, rows.Close())
	}
	if value == nil {
		value = []byte{}
	}
	// the column may hold a later time than a time.Duration can express
	microseconds = min(microseconds, math.MaxInt64/int64(time.Microsecond))
	return value, time.Duration(microseconds) * time.Microsecond, rows.Close()
}

func (p *pool) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	statement, err := p.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

// exec runs a statement and returns the number of rows that it changed.
func (p *pool) exec(ctx context.Context, text string, args ...any) (int64, error) {
	statement, err := p.statement(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// statement is a statement to run. It is closed with the pool.
type statement interface {
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
}

// unprepared is a statement of a driver that prepares by itself.
type unprepared struct {
	db   *sql.DB
	text string
}

func (u unprepared) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return u.db.QueryContext(ctx, u.text, args...)
}

func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.db.ExecContext(ctx, u.text, args...)
}

// unsent is an error that occurred before the statement was sent.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

// statement returns a statement, and prepares it if necessary.
func (p *pool) statement(ctx context.Context, text string) (statement, error) {
	if !p.prepare {
		return unprepared{p.db(), text}, nil
	}
	p.mu.Lock()
	former, db := p.prepared[text], p.now
	p.mu.Unlock()
	if former != nil {
		return former, nil
	}
	made, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, unsent{err}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	other := p.prepared[text]
	switch {
	case p.now != db: // replaced and closed meanwhile
		defer made.Close()
		return nil, unsent{driver.ErrBadConn}
	case other != nil:
		defer made.Close()
		return other, nil
	}
	p.prepared[text] = made
	return made, nil
}

// connector bounds connecting, and marks its errors.
type connector struct {
	driver.Connector
	timeout time.Duration
}

// connectError says that connecting failed.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.Connector.Connect(ctx)
	if errors.Is(err, driver.ErrBadConn) {
		// database/sql retries driver.ErrBadConn by itself
		err = fmt.Errorf("the server closed the connection: %w", ctx.Err())
	}
	if err != nil {
		return nil, connectError{err}
	}
	return conn, nil
}
