package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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
	err = p.each(r.Context(), func(page []kept) (bool, error) {
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
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var line Record
		from := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		from.DisallowUnknownFields()
		if err := from.Decode(&line); err != nil {
			return refuse(http.StatusBadRequest, "line %d is not a record: %v; %d sessions were imported before it", n, err, done.Saved)
		}
		if err := p.importOne(r.Context(), &line, &done); err != nil {
			return refuse(statusOf(err), "line %d: %w; %d sessions were imported before it", n, err, done.Saved)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
			return refuse(http.StatusBadRequest, "reading the body: %v; %d sessions were imported", err, done.Saved)
		}
		return err
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
		now, live, err := p.manager(there).Describe(line.Ref, there)
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
		err = p.manager(sessionstore.Entry{Value: line.Value}).List(ctx, line.Ref, &rec)
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
