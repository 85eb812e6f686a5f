package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Record is an exported session, a line of JSON.
type Record struct {
	// Ref is the key in the store, too.
	Ref string `json:"ref"`

	// LastUsed and Expires are times of this machine's clock. Expires is when the store deletes the
	// record.
	LastUsed time.Time `json:"last_used"`
	Expires  time.Time `json:"expires"`

	// Value is the record, in the native format.
	Value []byte `json:"value"`
}

// Imported says what became of the records of an import.
type Imported struct {
	// Saved are those that the store has now and had not before, and Same those that it had. Newer
	// are those that the store has in a form that was used later, or that has changed meanwhile,
	// and Expired those whose time is over. Both were left out.
	Saved   int `json:"saved"`
	Same    int `json:"same"`
	Newer   int `json:"newer"`
	Expired int `json:"expired"`

	// Unreadable are those for which the store has something that cannot be read: a record, which
	// was left as it is, or the list of the sessions of the user. Refs are theirs, of maxRefs at
	// most.
	Unreadable int      `json:"unreadable"`
	Refs       []string `json:"unreadable_refs,omitempty"`
}

// maxRefs is how many refs an answer names at most, so that its size is bounded.
const maxRefs = 1000

// unreadable counts a session for which the store has something that cannot be read.
func (i *Imported) unreadable(ref string) {
	i.Unreadable++
	if len(i.Refs) < maxRefs {
		i.Refs = append(i.Refs, ref)
	}
}

// before says how far an import came that has failed.
func (i *Imported) before() string {
	return fmt.Sprintf("before it, %d sessions were saved and %d were there already; the same import once more goes on from there", i.Saved, i.Same)
}

var errNative = refuse(http.StatusBadRequest, "only native sessions can be exported and imported: those of an app belong to it")

// export sends all sessions of a store, a line each.
func export(w http.ResponseWriter, r *http.Request, o *Opened) error {
	p, err := o.named(r.URL.Query().Get("store"))
	if err != nil {
		return err
	}
	if !p.native {
		return errNative
	}
	if _, err := p.walker(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	to, begun := json.NewEncoder(w), false
	err = p.each(r.Context(), func(page, _ []kept) (bool, error) {
		now := time.Now()
		for i := range page {
			s := &page[i]
			line := Record{Ref: s.Ref, LastUsed: s.Used.UTC(), Expires: now.Add(s.TTL).UTC(), Value: s.Value}
			begun = true
			if err := to.Encode(line); err != nil {
				return true, err
			}
		}
		return false, nil
	})
	if err != nil && begun {
		panic(http.ErrAbortHandler) // so that the client does not take the part for the whole
	}
	return err
}

// maxLine is the length of the longest line of an import, in bytes: a record in base64, and its
// times.
const maxLine = sessionstore.MaxRecord*4/3 + 1024

// lineTimeout is how long a line of an import may take to come. Caddy's admin server would cut the
// whole body off 10 s after it has begun, although it is the store that takes long.
var lineTimeout = time.Minute

// importAll saves the sessions that the body has, a line each.
func importAll(w http.ResponseWriter, r *http.Request, o *Opened) error {
	p, err := o.named(r.URL.Query().Get("store"))
	if err != nil {
		return err
	}
	if !p.native {
		return errNative
	}
	var done Imported
	lines, conn, n := bufio.NewScanner(r.Body), http.NewResponseController(w), 1
	lines.Buffer(nil, maxLine)
	for ; ; n++ {
		if err := conn.SetReadDeadline(time.Now().Add(lineTimeout)); err != nil {
			return err
		}
		if !lines.Scan() || lines.Err() != nil {
			break // what is there of a line that was cut off is none
		}
		var line Record
		from := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		from.DisallowUnknownFields()
		err := from.Decode(&line)
		if err == nil {
			err = atEnd(from)
		}
		if err != nil {
			return refuse(http.StatusBadRequest, "line %d is not a record: %w; %s", n, err, done.before())
		}
		switch err := p.importOne(r.Context(), &line, &done); {
		case errors.Is(err, sessionstore.ErrRecord):
			done.unreadable(line.Ref)
		case err != nil:
			return refuse(statusOf(err), "line %d: %w; %s", n, err, done.before())
		}
	}
	if err := lines.Err(); err != nil {
		return refuse(http.StatusBadRequest, "reading line %d: %w; %s", n, err, done.before())
	}
	return reply(w, done)
}

func statusOf(err error) int {
	if errors.Is(err, sessionstore.ErrUnavailable) {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

var errLine = errors.New("it is not a session in the native format")

// importOne saves a record, unless the store has it in a newer form, and lists it among the
// sessions of its user: it may be long until it is used, and it must end when all of them do.
func (p *part) importOne(ctx context.Context, line *Record, done *Imported) error {
	ttl := time.Until(line.Expires)
	var rec sessionstore.Record
	err := sessionstore.Native{}.Decode(line.Value, &rec)
	switch {
	case !sessionstore.ValidID(line.Ref) || len(line.Value) > sessionstore.MaxRecord || err != nil || rec.State != sessionstore.Live:
		return errLine
	case ttl < time.Millisecond:
		done.Expired++
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	there, err := p.store.Get(ctx, line.Ref)
	if err != nil {
		return err
	}
	same := bytes.Equal(there.Value, line.Value)
	if there.Found() && !same {
		now, live, err := p.describe(line.Ref, there)
		if err != nil {
			return err
		}
		if !live || !line.LastUsed.After(now.Used) {
			done.Newer++
			return nil
		}
	}
	if !same {
		_, err = p.store.CompareAndSet(ctx, line.Ref, there.Value, line.Value, ttl)
		if errors.Is(err, sessionstore.ErrConflict) {
			done.Newer++
			return nil
		}
	}
	if err == nil {
		err = p.of(sessionstore.ParseScope(rec.Scope)).List(ctx, line.Ref, line.Value)
	}
	switch {
	case err != nil:
		return err
	case same:
		done.Same++
	default:
		done.Saved++
	}
	return nil
}
