// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"time"

	"github.com/tiercecache/tierce/filestream"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
	"github.com/tiercecache/tierce/redis"
)

// The types of the built-in tiers.
const (
	memoryType     = "memory"
	filestreamType = "filestream"
	redisType      = "redis"
)

// The defaults. Bodies of up to 64 KiB are most of what compilers ask for; of
// larger ones the disk, which the system caches, is as good a place.
const (
	memoryMaxBytes     = 256 << 20
	memoryMaxBody      = 64 << 10
	filestreamMaxBytes = 20 << 30
)

// Builtin returns a new registry of the tiers that come with Tierce: memory,
// filestream and redis. The caller may add its own.
func Builtin() Registry {
	return Registry{
		memoryType:     Typed(memory.Options{MaxBytes: memoryMaxBytes}, openMemory),
		filestreamType: openFilestream,
		redisType:      Remote(Typed(redisOptions{Options: redis.Defaults()}, openRedis)),
	}
}

func openMemory(_ context.Context, opts memory.Options) (*memory.Cache, error) {
	return memory.New(opts)
}

// filestreamOptions is the directory, which filestream.Open has as an argument,
// and the rest.
type filestreamOptions struct {
	Dir Path
	filestream.Options
}

func openFilestream(ctx context.Context, raw Raw) (interfaces.Cache, error) {
	options := filestreamOptions{
		Dir: Path(raw.Dir),
		Options: filestream.Options{
			MaxBytes: filestreamMaxBytes, Verify: filestream.VerifyFirstRead, Durability: filestream.DurabilityNone,
			Grace: time.Hour, LowWater: 90, Index: filestream.IndexBolt,
		},
	}
	if err := raw.Decode(&options); err != nil {
		return nil, err
	}
	cache, err := filestream.Open(ctx, string(options.Dir), options.Options)
	if err != nil {
		return nil, err
	}
	return cache, nil
}

// redisOptions are redis.Options with types that a file can have: secrets, and
// paths.
type redisOptions struct {
	URL              URL
	Password         Secret
	SentinelPassword Secret
	TLS              redisTLS
	redis.Options
}

type redisTLS struct {
	CA, Cert, Key Path
	ServerName    string
}

// Validate says of the options what redis.Open would, before anything is opened.
func (o *redisOptions) Validate() error { return o.options().Validate() }

func (o *redisOptions) options() redis.Options {
	opts := o.Options
	opts.URL, opts.Password, opts.SentinelPassword = o.URL.Reveal(), o.Password.Reveal(), o.SentinelPassword.Reveal()
	opts.TLS = redis.TLS{CA: string(o.TLS.CA), Cert: string(o.TLS.Cert), Key: string(o.TLS.Key), ServerName: o.TLS.ServerName}
	return opts
}

func openRedis(ctx context.Context, opts redisOptions) (*redis.Cache, error) {
	return redis.Open(ctx, opts.options())
}
