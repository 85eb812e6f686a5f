package sql

import "context"

// inPlace returns an error if the database is a file that has gone: what is written to it then is lost when its connections
// end, and none is made in its place. Writers look before and after, readers once a second.
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

// Probe finds out whether the table could be used. Unlike other operations it makes none.
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
			return nil // the first session makes it
		}
		return err
	})
	return err
}

// Inspect returns what makes a database that is a file certainly unusable. It writes nothing, and reaches no network.
func Inspect(ctx context.Context, d *Driver, dsn string, opts Options) error {
	if d.Inspect == nil {
		return nil
	}
	if err := opts.complete(d); err != nil {
		return err
	}
	return d.Inspect(ctx, dsn, &opts)
}
