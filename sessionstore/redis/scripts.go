package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// script is a Lua script, which the server knows by its SHA-1 once it has been sent the text.
type script struct {
	sha, text string

	// writes says that it changes a record: it replies 1 if it did, or else what is there.
	writes bool
}

func newScript(text string, writes bool) *script {
	sum := sha1.Sum([]byte(text))
	return &script{hex.EncodeToString(sum[:]), text, writes}
}

// The scripts. Each is given one key, so that it runs in a Cluster, and makes at most one write, so that it happens or
// does not.
//
// A record is compared by its first bytes ("p"), the version that is in each native one, or as a whole ("w"). So it
// need not travel to be compared.
var (
	getScript = newScript(load+reply, false)

	// setScript compares and sets. The record that is to be written may be there already: then an attempt whose reply was
	// lost has written it. It is written once more, as WAIT counts the replicas that have what this connection wrote.
	setScript = newScript(load+fmt.Sprintf(`
local is
if not cur then
  is = ARGV[1] == 'n'
elseif ARGV[1] == 'p' then
  is = string.sub(cur, 1, #ARGV[2]) == ARGV[2]
else
  is = ARGV[1] == 'w' and cur == ARGV[2]
end
if not is and cur then
  if ARGV[3] == 'p' then
    is = string.sub(cur, 1, %d) == string.sub(ARGV[4], 1, %[1]d)
  else
    is = cur == ARGV[4]
  end
end
if is then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
  return 1
end`, sessionstore.VersionLen)+reply, true)

	deleteScript = newScript(load+`
if not cur then return 1 end
local found = cur
if ARGV[1] == 'p' then found = string.sub(cur, 1, #ARGV[2]) end
if found == ARGV[2] then
  redis.call('DEL', KEYS[1])
  return 1
end`+reply, true)

	touchScript = newScript(`
local last = `+strconv.Itoa(sessionstore.MaxValue)+`
if ARGV[1] == 'p' then last = #ARGV[2] - 1 end
if redis.call('GETRANGE', KEYS[1], 0, last) ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])`, false)
)

// tooLarge is the reply of a script that has met a value larger than any record: it must not fill the memory of those who ask.
const tooLarge = -1

// load and reply are how scripts begin and end. GETRANGE reads one byte more than a record may have, and takes no key for an
// empty value.
var (
	load = fmt.Sprintf(`
local cur = redis.call('GETRANGE', KEYS[1], 0, %d)
if cur == '' and redis.call('PTTL', KEYS[1]) == -2 then cur = false end`, sessionstore.MaxValue)

	reply = fmt.Sprintf(`
if not cur then return false end
if #cur > %d then return %d end
return {cur, redis.call('PTTL', KEYS[1])}`, sessionstore.MaxValue, tooLarge)
)

// matcher is how a script recognizes a record.
type matcher struct {
	how   string
	bytes []byte
}

var none = matcher{how: "n"}

func matcherOf(value []byte) matcher {
	if len(value) > sessionstore.VersionLen && value[0] == sessionstore.FormatNative {
		return matcher{"p", value[:sessionstore.VersionLen]}
	}
	return matcher{"w", value}
}

var errTooLarge = fmt.Errorf("%w: redis: it is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)

// entry reads what a script says is there. A record without a time to live is said to have the one of the options: no such
// record is written here.
func (o *Options) entry(reply any) (sessionstore.Entry, error) {
	if reply == nil {
		return sessionstore.Entry{}, nil
	}
	if reply == int64(tooLarge) {
		return sessionstore.Entry{}, errTooLarge
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return sessionstore.Entry{}, fmt.Errorf("%w: redis: an unexpected reply (%T)", sessionstore.ErrUnavailable, reply)
	}
	value, ok := list[0].(string)
	left, isInt := list[1].(int64)
	if !ok || !isInt {
		return sessionstore.Entry{}, fmt.Errorf("%w: redis: an unexpected reply (%T, %T)", sessionstore.ErrUnavailable, list[0], list[1])
	}
	ttl := o.Endless
	if left >= 0 {
		ttl = time.Duration(max(left, 1)) * time.Millisecond
	}
	return sessionstore.Entry{Value: bytesOf(value), TTL: ttl}, nil
}

// bytesOf lends the bytes of a string, which nobody changes: it is the contract of [sessionstore.Entry].
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
