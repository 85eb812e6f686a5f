// Package mysql is the [sql.Driver] for MySQL 8.0 or later and MariaDB 10.6 or later.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Driver is for MySQL and MariaDB. Its DSN is user:password@tcp(host:3306)/database?options, or
// unix(/path) for a socket.
//
// Keys are binary: a text column would ignore case.
var Driver = &sql.Driver{
	Name:    "mysql",
	Connect: connect,
	Quote:   '`',
	Schemas: true,
	Prepare: true,
	Times:   utc,
	Naive:   seconds,
	Size:    `octet_length({value})`,
	Next:    `nextval({sequence})`,

	Bytewise: `{key}`,
	// VALUES() is deprecated in MySQL, but MariaDB does not know its replacement. MySQL assigns
	// columns in this order, so both conditions see the old expires.
	Create: `INSERT INTO {table} ({id}{key}, {value}, {expires}) VALUES ({next}?, ?, {after})
		ON DUPLICATE KEY UPDATE {value} = IF({expires} > {now}, {value}, VALUES({value})), {expires} = IF({expires} > {now}, {expires}, VALUES({expires}))`,
	Sweep: `DELETE FROM {table} WHERE {expires} <= {now} ORDER BY {expires} LIMIT ?`,
	Table: []string{
		`CREATE TABLE IF NOT EXISTS {table} ({key} varbinary(255) NOT NULL PRIMARY KEY, {value} mediumblob NOT NULL, {expires} datetime(6) NOT NULL, INDEX {index} ({expires})) ENGINE=InnoDB`,
	},
	Key:   []string{"VARBINARY"},
	Value: []string{"BLOB"},
	Text:  []string{"VARCHAR", "VARBINARY"},
	// Without a unique index, ON DUPLICATE KEY would insert a second record.
	Unique: `SELECT 1 FROM information_schema.statistics
		WHERE table_schema = IF('{schema}' = '', DATABASE(), '{schema}') AND table_name = '{name}' AND non_unique = 0
		GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(column_name) = '{keyname}' AND MAX(sub_part) IS NULL`,
	Fault: fault,
}

var utc = sql.Times{
	Types: []string{"DATETIME"},
	Now:   `UTC_TIMESTAMP(6)`,
	After: `TIMESTAMPADD(MICROSECOND, ? * 1000, UTC_TIMESTAMP(6))`,
	Left:  `TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), {expires})`,
	Begin: `UTC_TIMESTAMP(6)`,
}

// seconds rounds up to a second. SQLAlchemy creates columns with whole seconds, for which MariaDB
// would truncate and MySQL round.
var seconds = sql.Times{
	Types: utc.Types,
	Now:   utc.Now,
	After: `TIMESTAMPADD(SECOND, CEIL((? * 1000 + MICROSECOND(UTC_TIMESTAMP(6))) / 1000000), UTC_TIMESTAMP(0))`,
	Left:  utc.Left,
	Begin: utc.Begin,
}

func connect(dsn string, _ *sql.Options) (sql.Source, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return sql.Source{}, errors.New("mysql: invalid dsn: use user:password@tcp(host:3306)/database, or unix(/path) for a socket")
	}
	if config.DBName == "" {
		return sql.Source{}, errors.New("mysql: the dsn has no database name")
	}
	// otherwise matched rows that stay the same would count as changed
	config.ClientFoundRows = false
	config.MultiStatements = false
	config.Logger = silent{}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		return sql.Source{}, errors.New("mysql: invalid dsn")
	}
	return sql.Source{Connector: connector{inner}, Server: config.Addr, Database: config.DBName, Secret: config.Passwd}, nil
}

// silent drops what the driver would print to standard error.
type silent struct{}

func (silent) Print(...any) {}

type connector struct{ driver.Connector }

// sessionSettings are required by our statements: a statement must be a transaction of its own, and
// lock only the rows that it changes, and a value too long for its column must be an error instead
// of being truncated.
var sessionSettings = []string{
	"SET SESSION autocommit = 1",
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
