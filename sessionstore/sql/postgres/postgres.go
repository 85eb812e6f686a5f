// Package postgres is PostgreSQL, 12 or later, for [sql.Open].
package postgres

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Driver is PostgreSQL. Its dsn is a URL (postgres://user:password@host:5432/database) or "key=value" words, as for psql.
var Driver = &sql.Driver{
	Name:     "postgres",
	Connect:  connect,
	Quote:    '"',
	Schemas:  true,
	Numbered: true,
	// A statement may wait for a lock: clock_timestamp is the time after that.
	Moments: sql.Moments{
		Types: []string{"TIMESTAMPTZ"},
		Now:   `clock_timestamp()`,
		After: `clock_timestamp() + ?::bigint * interval '1 millisecond'`,
		Left:  `(extract(epoch FROM {expires} - {now}) * 1000000)::bigint`,
		Begin: `statement_timestamp()`,
	},
	Naive: sql.Moments{
		Types: []string{"TIMESTAMP"},
		Now:   `(clock_timestamp() AT TIME ZONE 'UTC')`,
		After: `(clock_timestamp() AT TIME ZONE 'UTC') + ?::bigint * interval '1 millisecond'`,
		Left:  `(extract(epoch FROM {expires} - {now}) * 1000000)::bigint`,
		Begin: `(statement_timestamp() AT TIME ZONE 'UTC')`,
	},
	Size: `octet_length({value})`,
	Next: `nextval('{sequence}')`,
	Create: `INSERT INTO {table} AS t ({id}{key}, {value}, {expires}) VALUES ({next}?, ?, {after})
		ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}, {expires} = excluded.{expires} WHERE (t.{expires} > {now}) IS NOT TRUE`,
	Sweep: `DELETE FROM {table} WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM {table} WHERE {expires} <= {begin} LIMIT ? FOR UPDATE SKIP LOCKED)) AND {expires} <= {now}`,
	Table: []string{
		`CREATE TABLE IF NOT EXISTS {table} ({key} varchar(255) COLLATE "C" PRIMARY KEY, {value} bytea NOT NULL, {expires} timestamptz NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS {index} ON {table} ({expires})`,
	},
	Key:    []string{"VARCHAR", "TEXT"},
	Text:   []string{"VARCHAR", "TEXT"},
	Value:  []string{"BYTEA"},
	Unique: `EXPLAIN INSERT INTO {table} ({key}, {value}, {expires}) VALUES ('', '', {now}) ON CONFLICT ({key}) DO NOTHING`,
	Fault:  fault,
}

func connect(dsn string, _ *sql.Options) (sql.Source, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// Its errors quote the dsn, and hide only such passwords as they find.
		return sql.Source{}, errors.New("postgres: the dsn is neither a valid postgres:// URL nor valid key=value words, or names a file that cannot be read")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "caddy-session"
	}
	server := config.Host
	if !strings.HasPrefix(server, "/") {
		server = net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	}
	return sql.Source{Connector: stdlib.GetConnector(*config), Server: server, Secret: config.Password}, nil
}

// fault reads the SQLSTATE.
func fault(err error) (sql.Fault, bool) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return sql.Fault{}, false
	}
	f := sql.Fault{Text: "SQLSTATE " + answer.Code}
	class := answer.Code[:min(2, len(answer.Code))]
	switch class {
	case "22", "23": // what these say may hold a value
	default:
		f.Text = answer.Message + " (" + f.Text + ")"
	}
	switch {
	case answer.Code == "42P01", answer.Code == "3F000":
		f.Kind = sql.NoTable
	case answer.Code == "25006":
		f.Kind = sql.ReadOnly
	case class == "40" && answer.Code != "40003", // deadlock, serialization failure
		answer.Code == "55P03", // lock not available
		answer.Code == "0A000": // the table has been made anew, and the plan is of the former
		f.Kind = sql.Passing
	case class == "57" && answer.Code != "57014", class == "08", answer.Code == "40003", answer.Severity == "FATAL":
		f.Kind = sql.Lost
	}
	return f, true
}
