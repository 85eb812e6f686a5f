// Package postgres is the [sql.Driver] for PostgreSQL 12 or later.
package postgres

import (
	"cmp"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Driver is for PostgreSQL. Its DSN is a URL (postgres://user:password@host:5432/database) or a
// list of key=value words as for psql.
var Driver = &sql.Driver{
	Name:     "postgres",
	Connect:  connect,
	Quote:    '"',
	Schemas:  true,
	Numbered: true,
	// clock_timestamp, because the statement may have waited for a lock.
	Times: sql.Times{
		Types: []string{"TIMESTAMPTZ"},
		Now:   `clock_timestamp()`,
		After: `clock_timestamp() + ?::bigint * interval '1 millisecond'`,
		Left:  `(extract(epoch FROM {expires} - {now}) * 1000000)::bigint`,
		Begin: `statement_timestamp()`,
	},
	Naive: sql.Times{
		Types: []string{"TIMESTAMP"},
		Now:   `(clock_timestamp() AT TIME ZONE 'UTC')`,
		After: `(clock_timestamp() AT TIME ZONE 'UTC') + ?::bigint * interval '1 millisecond'`,
		Left:  `(extract(epoch FROM {expires} - {now}) * 1000000)::bigint`,
		Begin: `(statement_timestamp() AT TIME ZONE 'UTC')`,
	},
	Size: `octet_length({value})`,
	Next: `nextval('{sequence}')`,
	// somebody else may have created the table with another collation
	Bytewise: `{key} COLLATE "C"`,
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
		// Its error quotes the DSN and hides only the passwords that it recognizes.
		return sql.Source{}, errors.New("postgres: invalid dsn: use a postgres:// URL or key=value words; the files that it names must be readable")
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "caddy-session"
	}
	all := addresses(config, func(host string) []string { return []string{host} })
	if len(all) > 1 && config.ValidateConnect == nil {
		// a former primary may be a standby now, and still the first in the list
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	connector := stdlib.GetConnector(*config, stdlib.OptionBeforeConnect(divide))
	return sql.Source{Connector: connector, Server: strings.Join(all, ","), Database: database(config), Secret: config.Password}, nil
}

// database returns the name of the database, which by default is that of the user, and the schemas
// in which the table is looked up, if the DSN says that.
func database(config *pgx.ConnConfig) string {
	name := cmp.Or(config.Database, config.User)
	if path := config.RuntimeParams["search_path"]; path != "" {
		name += " search_path " + path
	}
	return name
}

// fault classifies an error by its SQLSTATE.
func fault(err error) (sql.Fault, bool) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return sql.Fault{}, false
	}
	f := sql.Fault{Text: "SQLSTATE " + answer.Code}
	class := answer.Code[:min(2, len(answer.Code))]
	switch class {
	case "22", "23": // the message may contain a value
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
		// the table was created anew, and the cached plan is for the old one
		answer.Code == "0A000":
		f.Kind = sql.Transient
	case class == "57" && answer.Code != "57014", class == "08", answer.Code == "40003", answer.Severity == "FATAL":
		f.Kind = sql.Lost
	}
	return f, true
}
