package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// reloadAfter is how long a certificate is used before its file is looked at again, so
// that a renewed one is served without a restart.
const reloadAfter = time.Minute

// ClientFiles name what a client trusts and shows; all are optional.
type ClientFiles struct {
	CA         string // certificates that the server's must come from; empty: the system's
	Cert, Key  string // what the client shows; both or neither
	ServerName string // name that the server's certificate must have; empty: the host that is dialled
}

// Client makes the settings of a client.
func Client(f ClientFiles) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("tlsfiles: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tlsfiles: %s holds no certificate in PEM form", f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("tlsfiles: a client's certificate and its key are given both or not at all")
	}
	if f.Cert != "" {
		p, err := open(f.Cert, f.Key)
		if err != nil {
			return nil, err
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.current(), nil }
	}
	return out, nil
}

// Server makes the settings of a server from its certificate and key. Both are read again
// when they change; a pair that does not fit is left aside and the old one served on.
func Server(cert, key string) (*tls.Config, error) {
	p, err := open(cert, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil },
	}, nil
}

// pair is a certificate with its key, and the files that they come from.
type pair struct {
	cert, key string
	now       func() time.Time

	mu      sync.Mutex
	loaded  *tls.Certificate
	checked time.Time
}

func open(cert, key string) (*pair, error) {
	p := &pair{cert: cert, key: key, now: time.Now}
	loaded, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tlsfiles: %s with %s: %w", cert, key, err)
	}
	p.loaded, p.checked = &loaded, p.now()
	return p, nil
}

// current is the newest pair that could be read.
func (p *pair) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.checked) >= reloadAfter {
		p.checked = now
		if fresh, err := tls.LoadX509KeyPair(p.cert, p.key); err == nil {
			p.loaded = &fresh
		}
	}
	return p.loaded
}
