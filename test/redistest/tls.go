package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS has a certificate authority and the certificates of a server and a client, as paths of PEM
// files. The server's names are localhost and 127.0.0.1.
type TLS struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string

	config *tls.Config
}

// Config returns a client's configuration: the authority and the client's certificate.
func (t *TLS) Config() *tls.Config { return t.config.Clone() }

// NewTLS makes new certificates. Servers make their own; a test needs this for those of another
// authority.
func NewTLS(tb testing.TB) *TLS {
	tb.Helper()
	t, err := newTLS(tb.TempDir())
	if err != nil {
		tb.Fatalf("making certificates: %v", err)
	}
	return t
}

func newTLSFor(tb testing.TB, opts Options) *TLS {
	tb.Helper()
	if !opts.TLS && !opts.ClientCert {
		return nil
	}
	return NewTLS(tb)
}

func newTLS(dir string) (*TLS, error) {
	path := func(name string) string { return filepath.Join(dir, name) }
	t := &TLS{
		CA:         path("ca.pem"),
		ServerCert: path("server.pem"), ServerKey: path("server.key"),
		ClientCert: path("client.pem"), ClientKey: path("client.key"),
	}
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "redistest CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err := certify(ca, ca, nil, t.CA, "")
	if err != nil {
		return nil, err
	}
	server := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "redistest server"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		// Servers are also clients: of their master, their cluster and the servers they monitor.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if _, err := certify(server, ca, caKey, t.ServerCert, t.ServerKey); err != nil {
		return nil, err
	}
	client := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "redistest client"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if _, err := certify(client, ca, caKey, t.ClientCert, t.ClientKey); err != nil {
		return nil, err
	}
	return t, t.load()
}

// load reads the files from their paths, as a client would.
func (t *TLS) load() error {
	ca, err := os.ReadFile(t.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("no certificate in %s", t.CA)
	}
	pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
	t.config = &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "127.0.0.1", Certificates: []tls.Certificate{pair},
	}
	return err
}

// certify makes a key and its certificate, signed by the parent, or self-signed without one.
func certify(cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, certPath, keyPath string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if parentKey == nil {
		parentKey = key
	}
	cert.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	if err := writePEM(certPath, "CERTIFICATE", der); err != nil || keyPath == "" {
		return key, err
	}
	der, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(keyPath, "PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
