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

// Check returns the error that [Open] would.
func Check(uri string, opts Options) error {
	_, err := prepare(uri, &opts)
	return err
}

// source is where the database is.
type source struct {
	uri    string
	server string // what is shown of the URI
}

const (
	scheme       = "mongodb://"
	schemeLookup = "mongodb+srv://"
)

// prepare checks all that can be checked without I/O, and sets the defaults.
func prepare(uri string, o *Options) (source, error) {
	if err := o.complete(); err != nil {
		return source{}, err
	}
	s := source{uri: uri}
	switch rest, isLookup := strings.CutPrefix(uri, schemeLookup); {
	case isLookup:
		// The driver reads such a URI by looking it up, which fails while there is no network.
		at := strings.LastIndex(rest, "@") + 1
		s.server, _, _ = strings.Cut(rest[at:], "/")
		if s.server, _, _ = strings.Cut(s.server, "?"); s.server == "" {
			return source{}, errors.New("mongodb: uri: it has no host")
		}
		if known := scheme + rest[:at] + s.server; validate(known) != nil {
			return source{}, fmt.Errorf("mongodb: %w", discreet(known, validate(known)))
		}
		o.PoolSize = cmp.Or(o.PoolSize, DefaultPoolSize)
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

// client returns the driver's options: those of the URI, and what the contract of a store asks for.
func (s *source) client(o *Options) (*options.ClientOptions, error) {
	c := options.Client().ApplyURI(s.uri)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("mongodb: %w", discreet(s.uri, err))
	}
	switch {
	case c.WriteConcern == nil:
		journal := true
		c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	case !c.WriteConcern.Acknowledged():
		return nil, errors.New("mongodb: uri: with w=0 nobody knows what has been written")
	}
	if o.PoolSize == 0 {
		o.PoolSize = DefaultPoolSize
		if c.MaxPoolSize != nil && *c.MaxPoolSize > 0 && *c.MaxPoolSize < 1<<20 {
			o.PoolSize = int(*c.MaxPoolSize)
		}
	}
	if c.MaxConnIdleTime == nil {
		c.SetMaxConnIdleTime(maxIdleTime)
	}
	// The driver's repetitions keep from us that an answer was lost: we repeat. What is read is what was written last.
	c.SetRetryWrites(false).SetRetryReads(false).SetMaxAdaptiveRetries(0).SetReadPreference(readpref.Primary())
	return c.SetConnectTimeout(o.DialTimeout).SetServerSelectionTimeout(o.DialTimeout), nil
}

func validate(uri string) error { return options.Client().ApplyURI(uri).Validate() }

// quoted is what the driver quotes of a URI: names of options, which may be shown, and values, which may not.
var quoted = regexp.MustCompile(`(for )?"(?:[^"\\]|\\.)*"`)

// uriError is what is wrong with a URI, without what may be secret.
type uriError struct{ text string }

func (e uriError) Error() string { return "uri: " + e.text }

// discreet is what the driver says about a URI, as a [uriError]. An error that goes when the user and the password are taken out is about
// these.
func discreet(uri string, err error) error {
	if rest, isLookup := strings.CutPrefix(uri, schemeLookup); isLookup {
		uri = scheme + rest // says the same of these, and is not looked up
	}
	if at := strings.LastIndex(uri, "@"); at >= 0 && validate(uri) != nil && validate(scheme+uri[at+1:]) == nil {
		return uriError{"the user name or the password: characters such as : / ? # [ ] @ % stand there as %3A and so on"}
	}
	return uriError{quoted.ReplaceAllStringFunc(err.Error(), func(found string) string {
		if strings.HasPrefix(found, "for ") {
			return found
		}
		return `"…"`
	})}
}
