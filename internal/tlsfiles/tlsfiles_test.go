package tlsfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("test authority", nil)
	a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) issue(name string, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: parent == nil, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signer, signKey := template, key
	if parent != nil {
		signer, signKey = parent.cert, parent.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signKey)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(a.t, err)
	return cert, key
}

// pair writes a certificate and its key, signed by the authority.
func (a *authority) pair(name string) (cert, key string) {
	a.t.Helper()
	c, k := a.issue(name, a)
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(a.t, err)
	return a.write(name+".pem", "CERTIFICATE", c.Raw), a.write(name+".key", "PRIVATE KEY", raw)
}

func (a *authority) write(name, kind string, raw []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600))
	return path
}

// shake lets a client and a server meet, and gives what each of them found wrong.
func shake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("hello"))
	}()
	d := tls.Dialer{Config: client}
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	buf := make([]byte, 5)
	if _, err := conn.Read(buf); err != nil {
		return "", err
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestAClientTrustsTheNamedAuthorityAndNoOther(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	server, err := Server(ours.pair("api"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		files ClientFiles
		fits  bool
	}{
		"the authority that signed": {ClientFiles{CA: filepath.Join(ours.dir, "ca.pem")}, true},
		"another authority":         {ClientFiles{CA: filepath.Join(theirs.dir, "ca.pem")}, false},
		"the system's":              {ClientFiles{}, false},
		"another name":              {ClientFiles{CA: filepath.Join(ours.dir, "ca.pem"), ServerName: "temporal.example"}, false},
	} {
		client, err := Client(c.files)
		require.NoError(t, err, name)
		got, err := shake(t, server, client)
		assert.Equal(t, c.fits, err == nil, "%s: %v", name, err)
		if c.fits {
			assert.Equal(t, "api", got)
		}
	}
}

func TestAServerThatAsksForACertificateIsShownOne(t *testing.T) {
	a := newAuthority(t)
	server, err := Server(a.pair("temporal"))
	require.NoError(t, err)
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	server.ClientCAs.AddCert(a.cert)
	cert, key := a.pair("worker")
	client, err := Client(ClientFiles{CA: filepath.Join(a.dir, "ca.pem"), Cert: cert, Key: key})
	require.NoError(t, err)
	_, err = shake(t, server, client)
	require.NoError(t, err)
	bare, err := Client(ClientFiles{CA: filepath.Join(a.dir, "ca.pem")})
	require.NoError(t, err)
	_, err = shake(t, server, bare)
	require.Error(t, err)
}

func TestARenewedCertificateIsServedAndABrokenOneIsNot(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.pair("api")
	p, err := open(cert, key)
	require.NoError(t, err)
	now := time.Now()
	p.now = func() time.Time { return now }
	first := p.current()
	require.NoError(t, os.WriteFile(cert, []byte("half written"), 0o600))
	now = now.Add(2 * reloadAfter)
	assert.Equal(t, first, p.current(), "a broken file must not take the service down")
	a.pair("api") // writes the same two files anew
	assert.Equal(t, first, p.current(), "not looked at yet")
	now = now.Add(2 * reloadAfter)
	assert.NotEqual(t, first, p.current())
}

func TestFilesThatDoNotFitAreRefused(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.pair("api")
	_, other := a.pair("other")
	_, err := Server(cert, other)
	require.ErrorContains(t, err, cert)
	_, err = Client(ClientFiles{Cert: cert})
	require.ErrorContains(t, err, "both or not at all")
	_, err = Client(ClientFiles{CA: key})
	require.ErrorContains(t, err, "no certificate")
	_, err = Client(ClientFiles{CA: filepath.Join(a.dir, "none.pem")})
	require.Error(t, err)
}
