package mysql

import (
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// The numbers of errors that mean something to us.
const (
	recordChanged     = 1020 // MariaDB, with innodb_snapshot_isolation
	tooManyConnection = 1040
	accessDenied      = 1045
	notReady          = 1047
	noDatabase        = 1049
	shuttingDown      = 1053
	noColumn          = 1054
	commandDenied     = 1142
	noTable           = 1146
	commitFailed      = 1180
	lockTimeout       = 1205
	deadlock          = 1213
	forbidden         = 1290
	interrupted       = 1317
	valueTooLong      = 1406
	readOnlyChange    = 1792
	readOnlyMode      = 1836
	killed            = 1927
)

// words say what an error is. What the server says of it is shown only for those errors of which it names tables, columns and users at
// most: of others it quotes the statement, a key or a value.
var words = map[uint16]string{
	1021:           "the server's disk is full",
	1037:           "the server is out of memory",
	1038:           "the server is out of memory",
	1041:           "the server is out of memory",
	1030:           "the storage engine fails",
	1044:           "the user may not use the database",
	1062:           "there is a record with this key already",
	1064:           "the server does not know the statement",
	1114:           "the table is full",
	1129:           "the server has blocked this machine after many connections that failed",
	1130:           "this machine may not connect to the server",
	1153:           "the record is larger than max_allowed_packet",
	1158:           "the server could not read from the connection",
	1159:           "the server could not read from the connection in time",
	1160:           "the server could not write to the connection",
	1161:           "the server could not write to the connection in time",
	1203:           "the user has as many connections as it may",
	1226:           "the user has used up what the server grants it",
	1227:           "the user lacks a privilege",
	1264:           "the value does not fit into the column",
	1364:           "a column of the table has no default value",
	1366:           "the value does not fit into the column",
	1615:           "the table has been altered",
	1698:           "the user may not connect",
	1820:           "the user's password has expired",
	1862:           "the user's password has expired",
	1969:           "the statement took longer than max_statement_time",
	3024:           "the statement took longer than max_execution_time",
	3101:           "the group of servers has refused the change",
	recordChanged:  "another transaction has changed the record",
	commitFailed:   "the commit has failed",
	forbidden:      "the server is read-only, or another of its options forbids the statement",
	interrupted:    "the statement was interrupted",
	readOnlyChange: "the transaction is read-only",
	readOnlyMode:   "the server is read-only",
	killed:         "the connection was killed",
}

// fault reads the error's number.
func fault(err error) (sql.Fault, bool) {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return sql.Fault{}, false
	}
	f := sql.Fault{Text: fmt.Sprintf("error %d", answer.Number)}
	text := words[answer.Number]
	switch answer.Number {
	case tooManyConnection, shuttingDown, notReady, deadlock, lockTimeout, accessDenied, noDatabase, commandDenied, noTable, noColumn, valueTooLong:
		text = answer.Message
	}
	if text != "" {
		f.Text = text + " (" + f.Text + ")"
	}
	switch answer.Number {
	case noTable:
		f.Kind = sql.NoTable
	case deadlock, lockTimeout, recordChanged, notReady:
		f.Kind = sql.Passing
	case shuttingDown, commitFailed, interrupted, killed:
		f.Kind = sql.Lost
	case forbidden, readOnlyChange, readOnlyMode:
		f.Kind = sql.ReadOnly
	}
	return f, true
}
