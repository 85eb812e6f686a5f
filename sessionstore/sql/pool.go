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
	db    *sql.DB
	slots chan struct{}

	prepare  bool
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

func newPool(c driver.Connector, d *Driver, o *Options, single bool) *pool {
	size := o.PoolSize
	if single {
		size = 1
	}
	p := &pool{
		db:    sql.OpenDB(&connector{c, o.DialTimeout}),
		slots: make(chan struct{}, size), prepare: d.Prepare, prepared: make(map[string]*sql.Stmt),
	}
	p.db.SetMaxOpenConns(size)
	p.db.SetMaxIdleConns(size)
	p.db.SetConnMaxIdleTime(o.MaxIdleTime)
	p.db.SetConnMaxLifetime(o.MaxLifetime)
	return p
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
	for _, statement := range p.prepared {
		_ = statement.Close()
	}
	return p.db.Close()
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
		return unprepared{p.db, text}, nil
	}
	p.mu.Lock()
	former := p.prepared[text]
	p.mu.Unlock()
	if former != nil {
		return former, nil
	}
	made, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, unsent{err}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.prepared[text]; other != nil {
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
