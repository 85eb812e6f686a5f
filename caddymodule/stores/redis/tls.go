package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// TLS says how the servers are known, and how they know us.
type TLS struct {
	// A file with the certificates of the authorities, in PEM, that the servers' certificates are from. Default: the system's
	CA string `json:"ca,omitempty"`

	// Files with our certificate and its key, in PEM, if the servers ask for one.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`

	// The name that the servers' certificates must be for. Default: the host of the address
	ServerName string `json:"server_name,omitempty"`

	read []byte
}

func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	paths := make(map[string]string)
	for option, from := range map[string]string{"ca": t.CA, "certificate": t.Certificate, "key": t.Key, "server_name": t.ServerName} {
		value, err := stores.Resolve(option, from)
		if err != nil {
			return nil, err
		}
		paths[option] = value
	}
	config.ServerName = paths["server_name"]
	sum := sha256.New()
	if path := paths["ca"]; path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM", path)
		}
		sum.Write(pem)
	}
	if (paths["certificate"] == "") != (paths["key"] == "") {
		return nil, errors.New("certificate and key belong together")
	}
	if path := paths["certificate"]; path != "" {
		certificate, err := tls.LoadX509KeyPair(path, paths["key"])
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
		sum.Write(certificate.Certificate[0])
	}
	sum.Write([]byte("\x00" + config.ServerName))
	t.read = sum.Sum(nil)
	return config, nil
}

// fingerprint changes with what the files hold, so that a reload takes up a certificate that was renewed.
func (t *TLS) fingerprint() []byte {
	if t == nil {
		return nil
	}
	return t.read
}
