// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// failed returns what the client says of op as an error of this tier.
func (c *Cache) failed(ctx context.Context, op string, err error) error {
	switch {
	case err == nil:
		return nil
	case err == goredis.Nil: //nolint:errorlint // the usual answer, never wrapped
		return cacheerr.ErrMiss
	}
	c.lookAnew(ctx, err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case late(ctx):
		return context.DeadlineExceeded
	case c.closed.Load():
		return cacheerr.ErrClosed
	case goredis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("%w: %w", errForeign, err)
	case goredis.IsReadOnlyError(err):
		return &cacheerr.BackendExecutionError{
			Tier: tierName, Op: op, Reason: "the server is a read-only replica; give the address of its master",
			Err: errors.Join(cacheerr.ErrReadOnly, err),
		}
	}
	if why := refusal(err); why != "" {
		return &cacheerr.BackendExecutionError{Tier: tierName, Op: op, Reason: why, Err: err}
	}
	if why := absence(err); why != "" {
		return &cacheerr.BackendNotAvailableError{Tier: tierName, Reason: why, Err: err}
	}
	return &cacheerr.BackendExecutionError{Tier: tierName, Op: op, Reason: "the server's answer is of no use", Err: err}
}

// lookAnew lets the client of a Cluster ask which server has what now, if err is
// no server's answer: another may be in the place of one that died. By itself
// go-redis asks when a server sends it elsewhere, and else once a minute. It does
// so at most five times a second, and nobody waits for it.
func (c *Cache) lookAnew(ctx context.Context, err error) {
	cluster, ok := c.client.(*goredis.ClusterClient)
	if answered := goredis.Error(nil); ok && !errors.As(err, &answered) {
		cluster.ReloadState(ctx)
	}
}

// late reports whether the context's deadline is over. The connection, which
// has the same deadline, can notice before the context does.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// refusal returns in words what a server that was reached has against it, or "".
func refusal(err error) string {
	switch {
	case goredis.IsOOMError(err):
		return "the server's memory is full; raise its maxmemory, or set its maxmemory-policy to allkeys-lru"
	case goredis.HasErrorPrefix(err, "MISCONF"):
		return "the server cannot save to its disk and takes no writes; mend that, or switch its persistence off"
	case goredis.IsAuthError(err):
		return "the server does not accept the user name or password; check both"
	case goredis.IsPermissionError(err):
		return "the server's ACL does not let this user do it; allow the commands and the prefix"
	case errors.Is(err, errClaim), strings.Contains(err.Error(), "redis: can't parse"), strings.Contains(err.Error(), "redis: invalid"):
		return "it does not answer as Redis does; check the address, and whether it wants TLS (rediss://)"
	}
	return ""
}

// absence returns in words why a server cannot be reached now, or "".
func absence(err error) string {
	var network net.Error
	switch why := certificate(err); {
	case why != "":
		return why
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the address"
	case errors.Is(err, syscall.ENOENT):
		return "there is no such socket"
	case errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted):
		return "all connections are in use"
	case goredis.IsLoadingError(err):
		return "the server is starting and reads its data"
	case goredis.IsClusterDownError(err), goredis.IsMasterDownError(err):
		return "the cluster is down"
	case goredis.IsTryAgainError(err), goredis.IsMaxClientsError(err), moved(err):
		return "the server cannot answer now"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "it does not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return "the connection broke"
	case errors.As(err, &network):
		return "it cannot be reached"
	}
	if answered := goredis.Error(nil); errors.As(err, &answered) {
		return ""
	}
	return "it cannot be used"
}

// moved reports whether err sends the client elsewhere: after some times of
// that it stops.
func moved(err error) bool {
	_, moved := goredis.IsMovedError(err)
	_, ask := goredis.IsAskError(err)
	return moved || ask
}

// certificate returns in words what is wrong with TLS, or "".
func certificate(err error) string {
	var (
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired, or is not valid yet"
	case errors.As(err, &name):
		return "the server's certificate is for another name; set the server name of tls"
	case errors.As(err, &unknown), errors.As(err, &invalid):
		return "the server's certificate is not one to trust; set the ca of tls"
	case errors.As(err, &record), errors.Is(err, errNoTLS):
		return "the server does not speak TLS at this address; use redis:// or its TLS port"
	case errors.As(err, &alert):
		return "the server refuses this client's TLS; set the cert and key of tls"
	}
	return ""
}
