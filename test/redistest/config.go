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

// kind is what a server is started as.
type kind int

const (
	standalone kind = iota
	sentinel
	clusterNode
)

// The servers know the tests and each other as this user, whatever the options say about the other users.
const (
	adminUser     = "redistest"
	adminPassword = "redistest-admin"
)

func (s *Server) configPath() string { return filepath.Join(s.Dir, "redis.conf") }

// writeConfig writes redis.conf. It is written once: later it is the server's own, who may note in it whose replica it is.
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

// baseConfig is for all kinds.
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

// dataConfig is for servers that hold data.
func (s *Server) dataConfig() []string {
	lines := []string{
		`save ""`,
		"enable-debug-command local",
		"masteruser " + adminUser,
		"masterauth " + adminPassword,
		"replica-announce-ip 127.0.0.1",
		// Else a master waits 5 s for further replicas before it sends them its data.
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

// clusterConfig names the port of the bus, since the usual one, 10000 above the other, may not exist.
func (s *Server) clusterConfig() []string {
	lines := []string{
		"cluster-enabled yes",
		fmt.Sprint("cluster-port ", s.busPort),
		"cluster-announce-ip 127.0.0.1",
		fmt.Sprint("cluster-node-timeout ", cmp.Or(s.opts.NodeTimeout, 1500*time.Millisecond).Milliseconds()),
		// Each master keeps the replica that it was given.
		"cluster-allow-replica-migration no",
	}
	if s.TLS != nil {
		lines = append(lines, "tls-cluster yes")
	}
	return lines
}

// sentinelConfig leaves out what is to be watched, which is said when all servers are there.
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
