// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"
)

// Prefix is what the keys of a server's user begin with.
const Prefix = "tierce:"

// Rules are what a server's user may do, and ReaderRules what its reader may: the
// least that the redis tier needs, from Redis 6.2 on. docs/redis.md tells
// administrators the same.
const (
	Rules = "resetkeys ~" + Prefix + "* resetchannels -@all +ping +select +get +getrange +strlen +type +scan" +
		" +set +unlink +pexpire +eval +evalsha +command +cluster|slots +asking"
	ReaderRules = "resetkeys ~" + Prefix + "* resetchannels -@all +ping +select +get +getrange +strlen +command +cluster|slots +asking"
)

// users gives s a user and a reader, and returns their lines.
func (s *Server) users() []string {
	s.Username, s.Reader, s.Password = "tierce", "tierce-reader", "b5:s3/cret"
	return []string{
		"user " + s.Username + " on >" + s.Password + " " + Rules,
		"user " + s.Reader + " on >" + s.Password + " " + ReaderRules,
	}
}

// withUsers returns the lines of a server, and those of its users.
func withUsers(lines func(*Server) ([]string, error)) func(*Server) ([]string, error) {
	return func(s *Server) ([]string, error) {
		own, err := lines(s)
		return append(own, s.users()...), err
	}
}

// TLS starts a server that takes TLS connections only, with a certificate of an
// authority of its own, of a user who may do what [Rules] say and of a reader.
func TLS(t testing.TB) *Server {
	t.Helper()
	return started(t, newTLS(valid()))
}

// Expired starts a server as [TLS] does, with a certificate that was valid
// until yesterday.
func Expired(t testing.TB) *Server {
	t.Helper()
	return started(t, newTLS(time.Now().Add(-24*time.Hour)))
}

// valid returns until when a good certificate is valid.
func valid() time.Time { return time.Now().Add(24 * time.Hour) }

// newTLS returns a server whose certificate is valid until then.
func newTLS(until time.Time) *Server {
	s := newServer(func(s *Server) ([]string, error) {
		users := s.users()
		s.socket, s.CA = s.file("admin.sock"), s.file("ca.pem")
		of := url.URL{Scheme: "rediss", User: url.UserPassword(s.Username, s.Password), Host: s.Addr}
		s.URL = of.String()
		of.User = url.UserPassword(s.Reader, s.Password)
		s.ReaderURL = of.String()
		return append([]string{
			"port 0", "tls-port " + strconv.Itoa(s.port), "tls-auth-clients no",
			"tls-ca-cert-file " + s.CA, "tls-cert-file " + s.file("cert.pem"), "tls-key-file " + s.file("key.pem"),
			"unixsocket " + s.socket, "unixsocketperm 700",
			"user default off",
			"user admin on >" + s.admin + " ~* &* +@all",
		}, users...), s.certify(until)
	})
	s.admin = "administrator"
	return s
}

// certify writes the certificates of an authority and of the server, valid
// until then, and the server's key.
func (s *Server) certify(until time.Time) error {
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redistest"},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: authority.NotBefore, NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(s.file("key.pem"), "PRIVATE KEY", private),
		sign(s.CA, authority, authority, &authorityKey.PublicKey, authorityKey),
		sign(s.file("cert.pem"), server, authority, &serverKey.PublicKey, authorityKey),
	)
}

// sign writes a certificate of key to the file path.
func sign(path string, certificate, by *x509.Certificate, key *ecdsa.PublicKey, with *ecdsa.PrivateKey) error {
	text, err := x509.CreateCertificate(rand.Reader, certificate, by, key, with)
	if err != nil {
		return err
	}
	return writePEM(path, "CERTIFICATE", text)
}

func writePEM(path, kind string, text []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600)
}
