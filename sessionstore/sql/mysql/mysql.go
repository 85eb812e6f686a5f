// Package mysql is MySQL, 8.0 or later, and MariaDB, 10.6 or later, for [sql.Open].
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Driver is MySQL or MariaDB. Its dsn is user:password@tcp(host:3306)/database?options, or with unix(/path) for a socket.
//
// Keys are compared byte by byte: in text they would be the same with other capitals.
var Driver = &sql.Driver{
	Name:    "mysql",
	Connect: connect,
	Quote:   '`',
	Schemas: true,
	Prepare: true,
	Moments: utc,
	Naive:   seconds,
	Size:    `octet_length({value})`,
	Next:    `nextval({sequence})`,
	// VALUES has another name in later versions of MySQL, which MariaDB does not know. The columns are set in this order, so that
	// expires is still the former one in both conditions.
	Create: `INSERT INTO {table} ({id}{key}, {value}, {expires}) VALUES ({next}?, ?, {after})
		ON DUPLICATE KEY UPDATE {value} = IF({expires} > {now}, {value}, VALUES({value})), {expires} = IF({expires} > {now}, {expires}, VALUES({expires}))`,
	Sweep: `DELETE FROM {table} WHERE {expires} <= {now} ORDER BY {expires} LIMIT ?`,
	Table: []string{
		`CREATE TABLE IF NOT EXISTS {table} ({key} varbinary(255) NOT NULL PRIMARY KEY, {value} mediumblob NOT NULL, {expires} datetime(6) NOT NULL, INDEX {index} ({expires})) ENGINE=InnoDB`,
	},
	Key:   []string{"VARBINARY"},
	Value: []string{"BLOB"},
	Text:  []string{"VARCHAR", "VARBINARY"},
	// Without a unique index, ON DUPLICATE KEY inserts a second record.
	Unique: `SELECT 1 FROM information_schema.statistics
		WHERE table_schema = IF('{schema}' = '', DATABASE(), '{schema}') AND table_name = '{name}' AND non_unique = 0
		GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(column_name) = '{keyname}' AND MAX(sub_part) IS NULL`,
	Fault: fault,
}

var utc = sql.Moments{
	Types: []string{"DATETIME"},
	Now:   `UTC_TIMESTAMP(6)`,
	After: `TIMESTAMPADD(MICROSECOND, ? * 1000, UTC_TIMESTAMP(6))`,
	Left:  `TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), {expires})`,
	Begin: `UTC_TIMESTAMP(6)`,
}

// seconds rounds up to a second: SQLAlchemy makes columns that hold no less, where MariaDB would cut off, and MySQL round.
var seconds = sql.Moments{
	Types: utc.Types,
	Now:   utc.Now,
	After: `TIMESTAMPADD(SECOND, CEIL((? * 1000 + MICROSECOND(UTC_TIMESTAMP(6))) / 1000000), UTC_TIMESTAMP(0))`,
	Left:  utc.Left,
	Begin: utc.Begin,
}

func connect(dsn string, _ *sql.Options) (sql.Source, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return sql.Source{}, errors.New("mysql: the dsn is not valid: it is user:password@tcp(host:3306)/database, or with unix(/path) for a socket")
	}
	if config.DBName == "" {
		return sql.Source{}, errors.New("mysql: the dsn names no database")
	}
	config.ClientFoundRows = false // or rows that stay as they are would count as changed
	config.MultiStatements = false
	config.Logger = silent{}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		return sql.Source{}, errors.New("mysql: the dsn is not valid")
	}
	return sql.Source{Connector: connector{inner}, Server: config.Addr, Secret: config.Passwd}, nil
}

// silent drops what the driver would print to standard error.
type silent struct{}

func (silent) Print(...any) {}

type connector struct{ driver.Connector }

// sessionSettings are what our statements rely on: that one locks no more rows than it changes, and that a value
// that is too long for its column is an error and not cut off.
var sessionSettings = []string{
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
}

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range sessionSettings {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}
