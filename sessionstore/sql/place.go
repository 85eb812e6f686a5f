package sql

import "context"

// inPlace returns an error if the database file has been deleted or replaced. SQLite would keep
// writing to the deleted file, and lose it when the last connection closes. Writers check before
// and after a statement, readers once a second.
func (s *Store) inPlace(p *pool, after bool) error {
	switch {
	case s.place == nil || !s.place.Seen() || after && p != s.writers:
		return nil
	case p != s.writers:
		return s.place.Glance()
	default:
		return s.place.Check()
	}
}

// Probe reports whether the table can be used. Unlike other operations it does not create it.
func (s *Store) Probe(ctx context.Context) error {
	if s.driver.Inspect != nil {
		if err := s.driver.Inspect(ctx, s.dsn, &s.opts); err != nil {
			return s.unavailable(err)
		}
		return nil
	}
	_, err := s.repeat(ctx, s.writers, func(ctx context.Context) error {
		err := s.inspect(ctx)
		if fault, answered := s.driver.Fault(err); answered && fault.Kind == NoTable && s.opts.CreateTable {
			return nil // the first session creates the table
		}
		return err
	})
	return err
}

// Inspect returns an error if the database is a file that cannot be used. It writes nothing and
// does not use the network.
func Inspect(ctx context.Context, d *Driver, dsn string, opts Options) error {
	if d.Inspect == nil {
		return nil
	}
	if err := opts.complete(d); err != nil {
		return err
	}
	return d.Inspect(ctx, dsn, &opts)
}
