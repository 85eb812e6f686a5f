package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// script is a Lua script. The server knows it by its SHA-1 after it has received the text once.
type script struct {
	sha, text string

	// writes says that the script changes a record. It then replies 1 on success, otherwise what is
	// there.
	writes bool
}

func newScript(text string, writes bool) *script {
	sum := sha1.Sum([]byte(text))
	return &script{hex.EncodeToString(sum[:]), text, writes}
}

// Each script has one key, so that it runs in a Cluster, and makes at most one change, so that it
// is atomic.
//
// A script compares a record by its version, the first bytes of every native record ("p"), or as a
// whole ("w"), so that the old record need not be sent.
var (
	getScript = newScript(load+reply, false)

	// setScript compares and sets. If the new record is already there, an earlier attempt whose
	// reply was lost has written it. The script then writes it again, because WAIT counts only the
	// writes of its own connection.
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

	deleteScript = newDeletion("")

	// deleteForReplicas is for WAIT: see newDeletion.
	deleteForReplicas = newDeletion(`
  redis.call('SET', KEYS[1], '', 'PX', 1)
  redis.call('DEL', KEYS[1])`)

	touchScript = newScript(`
local last = `+strconv.Itoa(sessionstore.MaxValue)+`
if ARGV[1] == 'p' then last = #ARGV[2] - 1 end
if redis.call('GETRANGE', KEYS[1], 0, last) ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])`, false)
)

// newDeletion compares and deletes. If there is nothing, an earlier attempt whose reply was lost
// may have deleted it. Since Redis 7.2, WAIT then waits for nothing, as this connection has written
// nothing: gone makes a write that changes nothing.
func newDeletion(gone string) *script {
	return newScript(load+`
if not cur then`+gone+`
  return 1
end
local found = cur
if ARGV[1] == 'p' then found = string.sub(cur, 1, #ARGV[2]) end
if found == ARGV[2] then
  redis.call('DEL', KEYS[1])
  return 1
end`+reply, true)
}

// tooLarge is the reply of a script that found a value larger than any record. Such a value is not
// sent, since it could exhaust this process's memory.
const tooLarge = -1

// load and reply are the beginning and the end of scripts. GETRANGE reads one byte more than a
// record may have. It returns an empty string both for an empty value and for a missing key.
var (
	load = fmt.Sprintf(`
local cur = redis.call('GETRANGE', KEYS[1], 0, %d)
if cur == '' and redis.call('PTTL', KEYS[1]) == -2 then cur = false end`, sessionstore.MaxValue)

	reply = fmt.Sprintf(`
if not cur then return false end
if #cur > %d then return %d end
return {cur, redis.call('PTTL', KEYS[1])}`, sessionstore.MaxValue, tooLarge)
)

// matcher selects how a script compares a record.
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

var errTooLarge = fmt.Errorf("%w: redis: the record is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)

// entry reads a script's reply. A record without an expiry gets the time to live of the option
// Endless: this store writes no such record.
func (o *Options) entry(reply any) (sessionstore.Entry, error) {
	if reply == nil {
		return sessionstore.Entry{}, nil
	}
	if reply == int64(tooLarge) {
		return sessionstore.Entry{}, errTooLarge
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return sessionstore.Entry{}, fmt.Errorf("%w: redis: unexpected reply (%T)", sessionstore.ErrUnavailable, reply)
	}
	value, ok := list[0].(string)
	left, isInt := list[1].(int64)
	if !ok || !isInt {
		return sessionstore.Entry{}, fmt.Errorf("%w: redis: unexpected reply (%T, %T)", sessionstore.ErrUnavailable, list[0], list[1])
	}
	ttl := o.Endless
	if left >= 0 {
		ttl = time.Duration(min(max(left, 1), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	}
	return sessionstore.Entry{Value: []byte(value), TTL: ttl}, nil
}
