package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/caddy-session/caddy-session/internal/config"
)

// TLS configures TLS with the servers.
type TLS struct {
	// A PEM file with the certificate authorities of the servers. Default: those of the system
	CA string `json:"ca,omitempty"`

	// A PEM file with our certificate, if the servers require one.
	Certificate string `json:"certificate,omitempty"`

	// A PEM file with the key of our certificate.
	Key string `json:"key,omitempty"`

	// The name in the servers' certificates. Default: the host of the address
	ServerName string `json:"server_name,omitempty"`

	read []byte
}

func (t *TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var ca, certificate, key string
	err := config.ResolveAll(
		config.From("ca", t.CA, &ca),
		config.From("certificate", t.Certificate, &certificate),
		config.From("key", t.Key, &key),
		config.From("server_name", t.ServerName, &c.ServerName),
	)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s contains no PEM certificate", ca)
		}
		sum.Write(pem)
	}
	if (certificate == "") != (key == "") {
		return nil, errors.New("certificate and key must be set together")
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
		for _, one := range pair.Certificate { // an intermediate one may have been missing
			sum.Write(one)
		}
	}
	sum.Write([]byte("\x00" + c.ServerName))
	t.read = sum.Sum(nil)
	return c, nil
}

// sum returns a hash of the files' contents, so that a reload uses a renewed certificate.
func (t *TLS) sum() []byte {
	if t == nil {
		return nil
	}
	return t.read
}
