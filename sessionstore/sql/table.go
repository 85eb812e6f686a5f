package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// unusable says that the table cannot be used.
type unusable struct {
	kind FaultKind
	text string
}

func (e unusable) Error() string { return e.text }

// check makes sure that the table exists and can be used. One goroutine at a time checks.
func (s *Store) check(ctx context.Context) error {
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-ctx.Done():
		return s.unavailable(ctx.Err())
	}
	if s.ready.Load() {
		return nil
	}
	if _, err := s.repeat(ctx, s.writers, s.findOrCreate); err != nil {
		return err
	}
	if s.place != nil {
		if err := s.place.Check(); err != nil { // from now on this file must stay in place
			return s.unavailable(err)
		}
	}
	s.ready.Store(true)
	if s.opts.Layout == nil {
		s.sweeping.Do(func() { s.background.Go(s.sweepLoop) })
	}
	return nil
}

// findOrCreate inspects the table, and creates it if it does not exist and CreateTable is set. It
// inspects first, since the user may lack the right to create tables.
func (s *Store) findOrCreate(ctx context.Context) error {
	err := s.inspect(ctx)
	fault, answered := s.driver.Fault(err)
	var noConnection connectError
	switch {
	case err == nil || !answered || errors.As(err, &noConnection):
		return err
	case fault.Kind == Refused:
		return unusable{Refused, fmt.Sprintf("table %s: %s", s.opts.Table, fault.Text)}
	case fault.Kind != NoTable:
		return err
	}
	if !s.opts.CreateTable {
		return unusable{Refused, fmt.Sprintf(`there is no table %s: create it, or set "create_table on"`, s.opts.Table)}
	}
	for _, statement := range s.texts.table {
		if _, err := s.writers.db().ExecContext(ctx, statement); err != nil {
			if s.inspect(ctx) != nil { // another process may have created it
				return err
			}
		}
	}
	return s.inspect(ctx)
}

// inspect checks the columns of the table.
func (s *Store) inspect(ctx context.Context) error {
	rows, err := s.writers.db().QueryContext(ctx, s.texts.columns)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for i, types := range [][]string{s.texts.keyTypes, s.driver.Value, s.texts.expiresTypes} {
		is := strings.ToUpper(columns[i].DatabaseTypeName())
		if !slices.Contains(types, is) {
			return unusable{Refused, fmt.Sprintf("table %s: the column %s is of type %s and must be %s",
				s.opts.Table, columns[i].Name(), is, strings.Join(types, " or "))}
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return s.inspectKey(ctx)
}

// inspectKey checks that the key is unique.
func (s *Store) inspectKey(ctx context.Context) error {
	rows, err := s.writers.db().QueryContext(ctx, s.texts.unique)
	if err != nil {
		return err
	}
	defer rows.Close()
	unique := rows.Next()
	if err := rows.Err(); err != nil {
		return err
	}
	if !unique {
		return unusable{Refused, fmt.Sprintf("table %s: the key has no unique index", s.opts.Table)}
	}
	return rows.Close()
}
