package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
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
	getScript = newScript(`
local v = redis.call('GET', KEYS[1])
if not v then return false end
return {v, redis.call('PTTL', KEYS[1])}`, false)

	// setScript compares and sets. The record that is to be written may be there already: then an attempt whose reply was
	// lost has written it. It is written once more, as WAIT counts the replicas that have what this connection wrote.
	setScript = newScript(fmt.Sprintf(`
local cur = redis.call('GET', KEYS[1])
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
end
if not cur then return false end
return {cur, redis.call('PTTL', KEYS[1])}`, sessionstore.VersionLen), true)

	deleteScript = newScript(`
local cur = redis.call('GET', KEYS[1])
if not cur then return 1 end
local found = cur
if ARGV[1] == 'p' then found = string.sub(cur, 1, #ARGV[2]) end
if found == ARGV[2] then
  redis.call('DEL', KEYS[1])
  return 1
end
return {cur, redis.call('PTTL', KEYS[1])}`, true)

	touchScript = newScript(`
local cur
if ARGV[1] == 'p' then cur = redis.call('GETRANGE', KEYS[1], 0, #ARGV[2] - 1) else cur = redis.call('GET', KEYS[1]) end
if cur ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])`, false)
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

// forever is the time to live of a record without one. No such record is written here.
const forever = 100 * 365 * 24 * time.Hour

// entry reads what a script says is there.
func entry(reply any) (sessionstore.Entry, error) {
	if reply == nil {
		return sessionstore.Entry{}, nil
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
	ttl := forever
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
