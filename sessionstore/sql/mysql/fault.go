package mysql

import (
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// The error numbers that need special treatment.
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

// messages describe errors. The server's own message quotes the statement, a key or a value, except
// for the numbers that fault lists: those name tables, columns and users at most.
var messages = map[uint16]string{
	1021:           "the server's disk is full",
	1037:           "the server is out of memory",
	1038:           "the server is out of memory",
	1041:           "the server is out of memory",
	1030:           "the storage engine failed",
	1044:           "the user has no access to the database",
	1062:           "a record with this key already exists",
	1064:           "the server does not support the statement",
	1114:           "the table is full",
	1129:           "the server has blocked this host after many failed connections",
	1130:           "this host is not allowed to connect to the server",
	1153:           "the record is larger than max_allowed_packet",
	1158:           "the server could not read from the connection",
	1159:           "the server could not read from the connection in time",
	1160:           "the server could not write to the connection",
	1161:           "the server could not write to the connection in time",
	1203:           "the user has too many connections",
	1226:           "the user has exceeded a resource limit",
	1227:           "the user lacks a privilege",
	1264:           "the value does not fit into the column",
	1364:           "a column of the table has no default value",
	1366:           "the value does not fit into the column",
	1615:           "the table has been altered",
	1698:           "the user is not allowed to connect",
	1820:           "the user's password has expired",
	1862:           "the user's password has expired",
	1969:           "the statement took longer than max_statement_time",
	3024:           "the statement took longer than max_execution_time",
	3101:           "the replication group rejected the change",
	recordChanged:  "another transaction has changed the record",
	commitFailed:   "the commit failed",
	forbidden:      "the server is read-only, or another of its options forbids the statement",
	interrupted:    "the statement was interrupted",
	readOnlyChange: "the transaction is read-only",
	readOnlyMode:   "the server is read-only",
	killed:         "the connection was killed",
}

// fault classifies an error by its number.
func fault(err error) (sql.Fault, bool) {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return sql.Fault{}, false
	}
	f := sql.Fault{Text: fmt.Sprintf("error %d", answer.Number)}
	text := messages[answer.Number]
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
		f.Kind = sql.Transient
	case shuttingDown, commitFailed, interrupted, killed:
		f.Kind = sql.Lost
	case forbidden, readOnlyChange, readOnlyMode:
		f.Kind = sql.ReadOnly
	}
	return f, true
}
