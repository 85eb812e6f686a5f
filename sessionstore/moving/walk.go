package moving

import (
	"context"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// walking is a store whose both sides can list their records.
type walking struct{ Store }

const (
	walksOld = "o"
	walksNew = "n"
)

// Walk implements [sessionstore.Walker]. It lists the old store first: a record that moves
// meanwhile is listed there, or in the new one, or twice.
func (s walking) Walk(ctx context.Context, prefix, after string, limit int) (sessionstore.Page, error) {
	from, to := s.home, s.other
	if s.takes {
		from, to = to, from
	}
	if after == "" {
		after = walksOld
	}
	part, after := after[:1], after[1:]
	at := from
	switch part {
	case walksOld:
	case walksNew:
		at = to
	default:
		return sessionstore.Page{}, sessionstore.ErrCursor
	}
	listed, err := at.Store.(sessionstore.Walker).Walk(ctx, prefix, after, limit)
	if err != nil {
		return sessionstore.Page{}, at.named(err)
	}
	var page sessionstore.Page
	switch {
	case listed.Next != "":
		page.Next = part + listed.Next
	case part == walksOld:
		page.Next = walksNew
	}
	for _, r := range listed.Records {
		if kindOf(r.Entry) == kindCopy {
			f, err := s.find(ctx, r.Key)
			if err != nil {
				return sessionstore.Page{}, err
			}
			if f.at.name == at.name {
				r.Entry = f.Entry
			}
		}
		if record(r.Entry) {
			page.Add(r.Key, r.Entry, limit)
		}
	}
	return page, nil
}

// Interface guards
var (
	_ sessionstore.Store  = Store{}
	_ sessionstore.Pair   = Store{}
	_ sessionstore.Walker = walking{}
)
