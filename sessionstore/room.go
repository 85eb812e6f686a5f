package sessionstore

import (
	"context"
	"errors"
	"slices"
)

const (
	// maxListed is the maximum number of sessions of a user. A session that is not listed could not
	// be ended with the others. So at one more login, the session that was listed first ends.
	maxListed = 1000

	// maxEntries is how many entries an index has at most. Only logins end sessions before: a
	// session that gets a new id is listed twice until the id is used, and is none more.
	maxEntries = 2 * maxListed

	// sampled is how many sessions of a full index are looked up to find those that are over, or
	// whose ids were never used.
	sampled = 32
)

// makeRoom ends the sessions that are too many after a batch was listed, and returns the entries
// that are left. First it looks up a sample, and removes those that are over. Then those end whose
// ids were not used for as long as a response may be on its way. So a user's real session survives
// a thousand logins of a program that logs out each time, or never comes back. The others end in
// the order in which they were listed, except those that the batch lists or replaces.
func (m *Manager) makeRoom(ctx context.Context, batch []*listing, entries []listed, logins []*listing) ([]listed, error) {
	if len(entries) <= maxListed {
		return entries, nil
	}
	o := batch[0].owner
	admitted := 0
	for _, l := range logins {
		if l.err == nil {
			admitted++
		}
	}
	room := min(max(maxListed, len(entries)-admitted), maxEntries)
	spared := make(map[string]bool)
	for _, l := range batch {
		spared[l.add.ref], spared[l.pred] = true, true
	}

	for first := true; ; first = false {
		next := notSpared(entries, spared)
		if first {
			next = m.sample(next)
		} else {
			next = next[:min(max(len(entries)-room, 0), len(next))]
		}
		if len(next) == 0 {
			return entries, nil
		}
		found, err := m.look(ctx, Managers{m}, o, next)
		if err != nil {
			return nil, err
		}
		drop := make(map[string]bool)
		var ends []*looked
		for i := range found {
			switch f := &found[i]; {
			case f.gone():
				drop[f.ref] = true
			case f.err != nil:
				spared[f.ref] = true
			case !first || m.abandoned(&f.info):
				ends = append(ends, f)
			}
		}
		ends = ends[:min(max(len(entries)-len(drop)-room, 0), len(ends))]
		err = atOnce(len(ends), func(i int) error { return m.endForRoom(ctx, ends[i]) })
		if err != nil {
			return nil, err
		}
		for _, f := range ends {
			drop[f.ref], spared[f.ref] = f.over, true
		}
		entries = slices.DeleteFunc(entries, func(e listed) bool { return drop[e.ref] })
	}
}

func notSpared(entries []listed, spared map[string]bool) []listed {
	return slices.DeleteFunc(slices.Clone(entries), func(e listed) bool { return spared[e.ref] })
}

// sample returns some of the entries, from all parts of the list.
func (m *Manager) sample(entries []listed) []listed {
	n := min(sampled, len(entries))
	shift := m.opts.Now().Nanosecond()
	some := make([]listed, n)
	for i := range some {
		some[i] = entries[(i*len(entries)/n+shift)%len(entries)]
	}
	return some
}

// abandoned reports whether a new id was not used for so long that it probably never will be.
func (m *Manager) abandoned(i *Info) bool {
	return i.Unused && m.opts.Now().Sub(i.listed) > m.opts.RegenerateUnused
}

// endForRoom ends a session because its user has too many, and notes that it is over. One whose id
// was not used is no session yet, so it ends alone. One that cannot be read stays.
func (m *Manager) endForRoom(ctx context.Context, f *looked) error {
	var ended bool
	var err error
	if f.info.Unused {
		err = m.endAlone(ctx, f.ref)
	} else {
		ended, err = m.endKey(ctx, f.ref, nil)
	}
	if ended && m.opts.OnLimit != nil {
		m.opts.OnLimit()
	}
	f.over = err == nil
	if errors.Is(err, ErrRecord) {
		return nil
	}
	return err
}
