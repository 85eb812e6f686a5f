package sessionstore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

const (
	// FormatNative is the first byte of every record in the native format. No pickle, MessagePack,
	// JSON, zlib stream or UTF-8 text begins with it, so that no record of another program is
	// mistaken for a native one.
	FormatNative = 0xc1

	// VersionLen is the length of the beginning of a native record that is different after each
	// save: the format byte and 16 random bytes.
	VersionLen = 1 + 16

	// MovingMark is the beginning of what the store moving keeps in place of a record. It is not
	// UTF-8, and no record of another format begins with it.
	MovingMark = "\xffmoving"

	// MaxRecord is the maximum size of a record that is saved, in bytes.
	MaxRecord = 256 << 10
)

// ErrRecord means that a record cannot be read: it is damaged, of another dialect or of a newer
// version. Such a record is never overwritten.
var ErrRecord = errors.New("the stored record cannot be read")

// State says what a record is.
type State uint8

// The states of a record.
const (
	// Live is a session.
	Live State = iota
	// Ended is a session that a change has emptied. A request that has loaded it before may still
	// fill it. For all others, there is no session.
	Ended
	// Mark replaces a session that got a new id and has ended. It has no data. It leads requests
	// that were under way to the record of the new id. For all others, there is no session.
	Mark
	// Index is no session, but a list of the sessions of a user: see index.go.
	Index
)

// Record is a session as a store keeps it. Times are to the millisecond.
type Record struct {
	// State says what the record is.
	State State

	// Permanent says that the session's cookie outlives the browser.
	Permanent bool

	// Created is when the session began.
	Created time.Time

	// Idle is the idle timeout when the record was last saved. The store keeps the record that
	// long, unless it has an Until.
	Idle time.Duration

	// Keep, if it is longer than Idle, is how long the store keeps the record, because of lasting
	// cookies in the vault.
	Keep time.Duration

	// OwnIdle says that Idle was set for this session and does not come from the configuration.
	OwnIdle bool

	// Scope is the text of a [Scope].
	Scope string

	// Gen is how many successors the session has had, and Target is the key of the latest. Each new
	// id has a record of its own, the successor. A mark has the Gen and the Target of the successor
	// that it leads to. Gen never becomes smaller. If a session was loaded with a smaller Gen, that
	// was before Target was made.
	Gen    uint64
	Target string

	// Until is when the session ends because it has a successor, used or not.
	Until time.Time

	// Pred is the key of the record that this one succeeds, until the id of this one is used. Idx
	// is the Gen that the other record got with this successor.
	Pred string
	Idx  uint64

	// Data is the session's data: a JSON object in ASCII, without spaces.
	Data []byte

	// Flash holds the waiting messages: a JSON array of ["category","message"] in the same form, or
	// nothing.
	Flash []byte

	// Vault holds the cookies that the app has set, in the stored form of a [vault.Vault], or
	// nothing.
	Vault []byte

	// Browser is a token that the client sends until its browser is closed. It is set if the
	// session's cookie outlives the browser only because of lasting cookies in the vault.
	// BrowserSeen says that the client has sent it.
	Browser     string
	BrowserSeen bool

	// CookieMark is the [Options.CookieMark] under which the client's cookie was last set.
	CookieMark string

	// User is who has logged in, or empty: see [Options.User]. UserField is the field of the data
	// that User was read from when the record was saved. It is empty if no field was configured.
	User, UserField string

	// Listed is when the session was last known to be in the index of its user, to the second.
	Listed time.Time

	// First and Last are the clients of the first and of the last recorded use: see
	// [Options.RememberClient].
	First, Last Client

	// Sessions are the entries of an Index, in the form of appendListed.
	Sessions []byte

	// Origin is what the codec of another program's format needs to encode the record again, and
	// JSON cannot express. Decode sets it, and Encode gets it back with the changed record. Nobody
	// else reads or changes it.
	Origin any
}

// Empty reports whether the session is empty.
func (r *Record) Empty() bool {
	return len(r.Flash) == 0 && len(r.Vault) == 0 && bytes.Equal(r.Data, emptyObject)
}

var emptyObject = []byte("{}")

// IsSession reports whether a stored record, of any program, is a session: not emptied, and no mark
// or index. It reads only the head. Stores use it to say what they delete.
func IsSession(value []byte) bool {
	if len(value) <= VersionLen || value[0] != FormatNative {
		return len(value) > 0
	}
	return State(value[VersionLen]&flagState) == Live
}

// Codec turns records into what a store keeps, and ids into keys. [Native] is our own.
type Codec interface {
	// Key returns the key of the session with this id and ref.
	Key(id, ref string) string

	// Encode returns the stored form of r, which is never the same twice. It returns an error if
	// that is larger than [MaxRecord].
	Encode(r *Record) ([]byte, error)

	// Decode fills r from a stored value. r may share its bytes. Errors wrap [ErrRecord] and
	// contain nothing of the value.
	Decode(value []byte, r *Record) error
}

// ForeignCodec is the [Codec] of a format that another program uses too, for the same records.
//
// Such a record has no creation time, so there is no absolute timeout. It has no scope: the secret
// of the program says whose it is. It cannot be a mark, so a former id ends at once. An emptied
// session is deleted. The idle timeout is always [Options.IdleTimeout], and there is no CookieMark.
// There is no version, so two saves of the same bytes are equal. Decode does not set Created, Idle,
// OwnIdle, Scope and the fields about successors. Encode may return the same bytes for the same
// record.
type ForeignCodec interface {
	Codec

	// NewID returns a new id that is as hard to guess as one of the function [NewID].
	NewID() string

	// ValidID reports whether the program may have made this id.
	ValidID(id string) bool
}

// Native is the native record format:
//
//	0xc1, 16 random bytes (the version),
//	flags (bit 0-1 state, bit 2 permanent, bit 3 own idle timeout, bit 4 browser seen,
//	bit 5 nobody has logged in, and there is a UserField),
//	varint created (Unix milliseconds), uvarint idle (milliseconds),
//	sections (a tag byte, uvarint length, that many bytes),
//	CRC-32C of all before, big-endian
//
// A flag or a section that the reader does not know is an [ErrRecord]: the record is of a newer
// version, and saving it would lose something.
type Native struct{}

const (
	flagState       = 0b11
	flagPermanent   = 1 << 2
	flagOwnIdle     = 1 << 3
	flagBrowserSeen = 1 << 4
	flagAnonymous   = 1 << 5
	flagsKnown      = flagState | flagPermanent | flagOwnIdle | flagBrowserSeen | flagAnonymous

	sectionScope  = 's'
	sectionTarget = 't' // uvarint Gen, Target
	sectionUntil  = 'u' // varint Unix milliseconds
	sectionPred   = 'p' // uvarint Idx, Pred
	sectionData   = 'd'
	sectionFlash  = 'f'
	sectionVault  = 'v'

	sectionKeep    = 'k' // uvarint milliseconds
	sectionBrowser = 'b'
	sectionMark    = 'm'

	sectionUser     = 'w' // uvarint length, UserField, varint Listed (Unix seconds), User
	sectionSessions = 'l'
	sectionClients  = 'c' // uvarint length and text: address and User-Agent of First, of Last

	checksumLen = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Key implements [Codec]: the key is the ref.
func (Native) Key(_, ref string) string { return ref }

// Encode implements [Codec].
func (Native) Encode(r *Record) ([]byte, error) {
	size := VersionLen + 1 + 2*binary.MaxVarintLen64 + checksumLen +
		len(r.Scope) + len(r.Target) + len(r.Pred) + len(r.Data) + len(r.Flash) + len(r.Vault) + len(r.Browser) + len(r.CookieMark) +
		len(r.User) + len(r.UserField) + len(r.Sessions) + len(r.First.Address) + len(r.First.UserAgent) + len(r.Last.Address) +
		len(r.Last.UserAgent) + 17*(1+binary.MaxVarintLen32) + 6*binary.MaxVarintLen64
	b := make([]byte, VersionLen, size)
	b[0] = FormatNative
	_, _ = rand.Read(b[1:VersionLen])

	flags := byte(r.State)
	if r.Permanent {
		flags |= flagPermanent
	}
	if r.OwnIdle {
		flags |= flagOwnIdle
	}
	if r.BrowserSeen {
		flags |= flagBrowserSeen
	}
	if r.UserField != "" && r.User == "" {
		flags |= flagAnonymous
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, r.Created.UnixMilli())
	b = binary.AppendUvarint(b, uint64(max(r.Idle, 0).Milliseconds()))
	b = appendSection(b, sectionScope, r.Scope)
	b = appendLink(b, sectionTarget, r.Gen, r.Target)
	if !r.Until.IsZero() {
		b = appendSection(b, sectionUntil, binary.AppendVarint(nil, r.Until.UnixMilli()))
	}
	b = appendLink(b, sectionPred, r.Idx, r.Pred)
	b = appendSection(b, sectionData, r.Data)
	b = appendSection(b, sectionFlash, r.Flash)
	b = appendSection(b, sectionVault, r.Vault)
	if r.Keep > 0 {
		b = appendSection(b, sectionKeep, binary.AppendUvarint(nil, uint64(r.Keep.Milliseconds())))
	}
	b = appendSection(b, sectionBrowser, r.Browser)
	b = appendSection(b, sectionMark, r.CookieMark)
	b = r.appendUser(b)
	b = appendSection(b, sectionSessions, r.Sessions)
	b = r.appendClients(b)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("%w: a record of %d bytes, at most %d are kept", ErrTooLarge, len(b), MaxRecord)
	}
	return b, nil
}

func appendSection[T string | []byte](b []byte, tag byte, content T) []byte {
	if len(content) == 0 {
		return b
	}
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}

// appendLink adds a section with the key of another record, if there is one.
func appendLink(b []byte, tag byte, n uint64, key string) []byte {
	if key == "" {
		return b
	}
	return appendSection(b, tag, append(binary.AppendUvarint(nil, n), key...))
}

// Decode implements [Codec].
func (Native) Decode(value []byte, r *Record) error {
	if bytes.HasPrefix(value, []byte(MovingMark)) {
		return fmt.Errorf("%w: it is half way from one store to another; configure store moving with both again", ErrRecord)
	}
	if len(value) == 0 || value[0] != FormatNative {
		return fmt.Errorf("%w: it is not in the native format", ErrRecord)
	}
	body := len(value) - checksumLen
	if body < VersionLen+1 || crc32.Checksum(value[:body], castagnoli) != binary.BigEndian.Uint32(value[body:]) {
		return fmt.Errorf("%w: it is damaged", ErrRecord)
	}

	flags := value[VersionLen]
	b := value[VersionLen+1 : body]
	created, n := binary.Varint(b)
	if n <= 0 {
		return errNewer
	}
	b = b[n:]
	idle, n := binary.Uvarint(b)
	if n <= 0 || flags&^flagsKnown != 0 || idle > maxIdleMillis {
		return errNewer
	}
	b = b[n:]

	*r = Record{
		State:     State(flags & flagState),
		Permanent: flags&flagPermanent != 0,
		OwnIdle:   flags&flagOwnIdle != 0,
		Created:   time.UnixMilli(created),
		Idle:      time.Duration(idle) * time.Millisecond,

		BrowserSeen: flags&flagBrowserSeen != 0,
	}
	if err := r.decodeSections(b); err != nil {
		return err
	}
	if (flags&flagAnonymous != 0) != (r.UserField != "" && r.User == "") {
		return errNewer
	}
	return nil
}

const maxIdleMillis = uint64(1<<63-1) / uint64(time.Millisecond)

var errNewer = fmt.Errorf("%w: it was written by a newer version", ErrRecord)

func (r *Record) decodeSections(b []byte) error {
	for len(b) > 0 {
		tag := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return errNewer
		}
		content := b[1+n : 1+n+int(size) : 1+n+int(size)]
		b = b[1+n+int(size):]
		switch tag {
		case sectionScope:
			r.Scope = borrow(content)
		case sectionTarget:
			r.Gen, r.Target = readLink(content)
		case sectionUntil:
			until, n := binary.Varint(content)
			if n <= 0 || n != len(content) {
				return errNewer
			}
			r.Until = time.UnixMilli(until)
		case sectionPred:
			r.Idx, r.Pred = readLink(content)
		case sectionData:
			r.Data = content
		case sectionFlash:
			r.Flash = content
		case sectionVault:
			r.Vault = content
		case sectionKeep:
			keep, n := binary.Uvarint(content)
			if n <= 0 || n != len(content) || keep > maxIdleMillis {
				return errNewer
			}
			r.Keep = time.Duration(keep) * time.Millisecond
		case sectionBrowser:
			r.Browser = borrow(content)
		case sectionMark:
			r.CookieMark = borrow(content)
		case sectionUser:
			if !r.readUser(content) {
				return errNewer
			}
		case sectionClients:
			if !r.readClients(content) {
				return errNewer
			}
		case sectionSessions:
			r.Sessions = content
		default:
			return errNewer
		}
	}
	linked := (r.Gen == 0) == (r.Target == "") && (r.Idx == 0) == (r.Pred == "")
	if len(r.Data) == 0 || !linked || r.State == Mark && r.Gen == 0 ||
		r.State == Index && (r.User == "" || len(r.Sessions)%listedLen != 0) {
		return errNewer
	}
	return nil
}

// readLink reads what appendLink has added. It returns an empty key if it cannot read that.
func readLink(content []byte) (n uint64, key string) {
	n, size := binary.Uvarint(content)
	return n, borrow(content[max(size, 0):])
}
