package mongodb

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// Check returns the error that [Open] would return.
func Check(uri string, opts Options) error {
	_, err := prepare(uri, &opts)
	return err
}

// Place returns where [Open] would keep the records, without secrets, or nothing if it would fail.
// A database is named only if the options do.
func Place(uri string, opts Options) string {
	database := opts.Database
	from, err := prepare(uri, &opts)
	switch {
	case err != nil:
		return ""
	case database == "":
		return from.server + " " + opts.Collection
	default:
		return from.server + " " + database + "." + opts.Collection
	}
}

// source is the address of the database.
type source struct {
	uri    string
	server string // the hosts in the URI, safe to log
}

const (
	scheme       = "mongodb://"
	schemeLookup = "mongodb+srv://"
)

// prepare checks whatever can be checked without I/O, and sets the defaults.
func prepare(uri string, o *Options) (source, error) {
	if err := o.complete(); err != nil {
		return source{}, err
	}
	s := source{uri: uri}
	switch rest, isLookup := strings.CutPrefix(uri, schemeLookup); {
	case isLookup:
		// The driver parses such a URI by a DNS lookup, which fails while there is no network.
		at := strings.LastIndex(rest, "@") + 1
		s.server, _, _ = strings.Cut(rest[at:], "/")
		if s.server, _, _ = strings.Cut(s.server, "?"); s.server == "" {
			return source{}, errors.New("mongodb: uri: no host")
		}
		if known := scheme + rest[:at] + s.server; validate(known) != nil {
			return source{}, fmt.Errorf("mongodb: %w", redactURI(known, validate(known)))
		}
		o.PoolSize = cmp.Or(o.PoolSize, defaultPoolSize)
	case !strings.HasPrefix(uri, scheme):
		return source{}, errors.New("mongodb: uri: it must begin with " + scheme + " or " + schemeLookup)
	default:
		c, err := s.client(o)
		if err != nil {
			return source{}, err
		}
		s.server = strings.Join(c.Hosts, ",")
	}
	return s, nil
}

// client returns the driver's options: those of the URI and those that the contract of
// [sessionstore.Store] requires.
func (s *source) client(o *Options) (*options.ClientOptions, error) {
	c := options.Client().ApplyURI(s.uri)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("mongodb: %w", redactURI(s.uri, err))
	}
	switch {
	case c.WriteConcern == nil:
		journal := true
		c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	case !c.WriteConcern.Acknowledged():
		return nil, errors.New("mongodb: uri: w=0 is not supported: writes must be acknowledged")
	}
	if o.PoolSize == 0 {
		o.PoolSize = defaultPoolSize
		if c.MaxPoolSize != nil && *c.MaxPoolSize > 0 && *c.MaxPoolSize < 1<<20 {
			o.PoolSize = int(*c.MaxPoolSize)
		}
	}
	if c.MaxConnIdleTime == nil {
		c.SetMaxConnIdleTime(maxIdleTime)
	}
	// The driver's own retries would hide a lost reply, so the store retries. Reads go to the
	// primary, which has the last write.
	c.SetRetryWrites(false).SetRetryReads(false).SetMaxAdaptiveRetries(0).SetReadPreference(readpref.Primary())
	return c.SetConnectTimeout(o.DialTimeout).SetServerSelectionTimeout(o.DialTimeout), nil
}

func validate(uri string) error { return options.Client().ApplyURI(uri).Validate() }

// quoted matches what the driver quotes of a URI: names of options (after "for"), which may be
// logged, and values, which may not.
var quoted = regexp.MustCompile(`(for )?"(?:[^"\\]|\\.)*"`)

// uriError describes what is wrong with a URI, without secrets.
type uriError struct{ text string }

func (e uriError) Error() string { return "uri: " + e.text }

// redactURI returns the driver's error about a URI as a [uriError]. If the error disappears without
// the user and the password, it is about these.
func redactURI(uri string, err error) error {
	if rest, isLookup := strings.CutPrefix(uri, schemeLookup); isLookup {
		// the driver reports the same errors for this scheme, without a DNS lookup
		uri = scheme + rest
	}
	if at := strings.LastIndex(uri, "@"); at >= 0 && validate(uri) != nil && validate(scheme+uri[at+1:]) == nil {
		return uriError{"the user name or the password: characters such as : / ? # [ ] @ % must be percent-encoded (: as %3A)"}
	}
	return uriError{quoted.ReplaceAllStringFunc(err.Error(), func(found string) string {
		if strings.HasPrefix(found, "for ") {
			return found
		}
		return `"…"`
	})}
}
