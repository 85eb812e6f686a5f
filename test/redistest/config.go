package redistest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kind is the role that a server is started in.
type kind int

const (
	standalone kind = iota
	sentinel
	clusterNode
)

// Tests and other servers log in as this user, so options may change all other users.
const (
	adminUser     = "redistest"
	adminPassword = "redistest-admin"
)

func (s *Server) configPath() string { return filepath.Join(s.Dir, "redis.conf") }

// writeConfig writes redis.conf once. Later the server itself changes it, for example when it
// becomes a replica.
func (s *Server) writeConfig() error {
	lines := s.baseConfig()
	switch s.kind {
	case sentinel:
		lines = append(lines, s.sentinelConfig()...)
	case clusterNode:
		lines = append(lines, s.clusterConfig()...)
		fallthrough
	case standalone:
		lines = append(lines, s.dataConfig()...)
	}
	return os.WriteFile(s.configPath(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// baseConfig has the settings of all kinds.
func (s *Server) baseConfig() []string {
	lines := []string{
		"bind 127.0.0.1",
		"protected-mode no",
		"daemonize no",
		"loglevel notice",
		"logfile " + strconv.Quote(s.logPath()),
		"dir " + strconv.Quote(s.Dir),
		"user " + adminUser + " on >" + adminPassword + " ~* &* +@all",
	}
	if s.TLS == nil {
		return append(lines, fmt.Sprint("port ", s.Port))
	}
	authClients := "no"
	if s.opts.ClientCert {
		authClients = "yes"
	}
	return append(lines,
		"port 0",
		fmt.Sprint("tls-port ", s.Port),
		"tls-cert-file "+strconv.Quote(s.TLS.ServerCert),
		"tls-key-file "+strconv.Quote(s.TLS.ServerKey),
		"tls-ca-cert-file "+strconv.Quote(s.TLS.CA),
		"tls-auth-clients "+authClients,
		"tls-replication yes",
	)
}

// dataConfig has the settings of servers with data.
func (s *Server) dataConfig() []string {
	lines := []string{
		`save ""`,
		"enable-debug-command local",
		"masteruser " + adminUser,
		"masterauth " + adminPassword,
		"replica-announce-ip 127.0.0.1",
		// By default, a master waits 5 s for more replicas before it sends its data.
		"repl-diskless-sync-delay 0",
		"repl-ping-replica-period 1",
	}
	if s.opts.AOF {
		lines = append(lines, "appendonly yes", "appendfsync always")
	}
	for _, user := range s.opts.ACL {
		lines = append(lines, "user "+user)
	}
	lines = append(lines, secret("requirepass", s.opts.Password)...)
	return append(lines, s.opts.Config...)
}

// clusterConfig sets the port of the cluster bus: the default, 10000 higher, may be out of range.
func (s *Server) clusterConfig() []string {
	lines := []string{
		"cluster-enabled yes",
		fmt.Sprint("cluster-port ", s.busPort),
		"cluster-announce-ip 127.0.0.1",
		fmt.Sprint("cluster-node-timeout ", cmp.Or(s.opts.NodeTimeout, 1500*time.Millisecond).Milliseconds()),
		// Each master keeps its replica.
		"cluster-allow-replica-migration no",
	}
	if s.TLS != nil {
		lines = append(lines, "tls-cluster yes")
	}
	return lines
}

// sentinelConfig does not name the master: that comes when all servers run.
func (s *Server) sentinelConfig() []string {
	return append(secret("requirepass", s.opts.SentinelPassword),
		"sentinel sentinel-user "+adminUser,
		"sentinel sentinel-pass "+adminPassword,
	)
}

func secret(directive, value string) []string {
	if value == "" {
		return nil
	}
	return []string{directive + " " + strconv.Quote(value)}
}
