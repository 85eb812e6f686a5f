package vault

import "time"

// Refusal says why browsers refuse the value of a Set-Cookie line of the response to req. It is
// empty if they accept it.
func Refusal(line string, req Request) string {
	set, ok := parse(line)
	_, _, inDomain := scope(set.domain, req.Host)
	switch {
	case !ok:
		return "it is longer than 4096 bytes, or has a control character"
	case !inDomain:
		return "its domain is not the host's"
	case set.secure && !req.Secure:
		return "it is Secure, and the request came over plain HTTP"
	case set.sameSite == SameSiteNone && !set.secure:
		return "it is SameSite=None and not Secure"
	}
	if _, ok := Receive(line, req, time.Now()); !ok {
		return "it breaks the rules for the prefix of its name"
	}
	return ""
}
