package phpsession

import "go.uber.org/zap"

// warnOfUsers warns if it is not sure that PHP and Caddy can open each other's sessions. owner is
// the number of the user that PHP runs as, or -1 if that is not known, and self the one that Caddy
// runs as.
func warnOfUsers(log *zap.Logger, owner, self int) {
	if owner == self || owner >= 0 && self == 0 {
		return
	}
	log.Warn("PHP and Caddy may be unable to open each other's sessions, which are for one user only",
		zap.Int("caddy", self), zap.Int("owner", owner))
}
