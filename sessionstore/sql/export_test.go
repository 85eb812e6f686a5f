package sql

// OpenFlask opens a store in a table as Flask-Session makes it, which a dialect will do.
func OpenFlask(d *Driver, dsn string, opts Options) (*Store, error) {
	return open(d, dsn, opts, layout{key: "session_id", value: "data", expires: "expiry", naive: true})
}
