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

// pool is a set of connections. It has no more users than connections, so that who waits for one waits here, and is not taken
// for one whom the database keeps waiting.
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

// open begins without a connection.
func (p *pool) open() {
	p.now, p.prepared = sql.OpenDB(p.connector), make(map[string]*sql.Stmt)
	p.now.SetMaxOpenConns(cap(p.slots))
	p.now.SetMaxIdleConns(cap(p.slots))
	p.now.SetConnMaxIdleTime(p.opts.MaxIdleTime)
	p.now.SetConnMaxLifetime(p.opts.MaxLifetime)
}

// db returns the connections in use.
func (p *pool) db() *sql.DB {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// renewInterval is how often all connections are given up at most, when new ones lead to a server that is no better.
const renewInterval = time.Second

// renew gives all connections up that lead where this one did, and reports whether there are others now.
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
	p.closing.Go(func() { closeAll(old, statements) }) // it waits for what is under way
	return true
}

func closeAll(db *sql.DB, statements map[string]*sql.Stmt) error {
	for _, statement := range statements {
		_ = statement.Close()
	}
	return db.Close()
}

// acquire waits for a connection to be free.
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

// errTooLarge says that a value is larger than a record may be, and was not sent.
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
	microseconds = min(microseconds, math.MaxInt64/int64(time.Microsecond)) // a column may hold a time that is further away
	return value, time.Duration(microseconds) * time.Microsecond, rows.Close()
}

func (p *pool) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	statement, err := p.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

// exec runs a statement and returns how many rows it has changed.
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

// statement is one that can be run. Nobody closes it before the pool is closed.
type statement interface {
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
}

// unprepared is for drivers that prepare by themselves.
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

// unsent is an error on the way to the statement, which was not sent.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

// statement prepares a statement if it is to be and has not been yet.
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
	case p.now != db: // it is closed by now
		defer made.Close()
		return nil, unsent{driver.ErrBadConn}
	case other != nil:
		defer made.Close()
		return other, nil
	}
	p.prepared[text] = made
	return made, nil
}

// connector bounds the time that connecting takes, and tells its errors from others.
type connector struct {
	driver.Connector
	timeout time.Duration
}

// connectError says that there is no connection.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.Connector.Connect(ctx)
	if errors.Is(err, driver.ErrBadConn) {
		err = fmt.Errorf("the server has hung up: %w", ctx.Err()) // or database/sql would try again by itself
	}
	if err != nil {
		return nil, connectError{err}
	}
	return conn, nil
}
