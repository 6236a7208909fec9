// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

// TestConformance is T9, in each topology, and with no more rights than
// docs/redis.md gives.
func TestConformance(t *testing.T) {
	for _, topology := range slices.Concat(topologies, restricted) {
		t.Run(topology.name, func(t *testing.T) { conforms(t, topology.options(t)) })
	}
}

// TestConformanceInChunks has most bodies of the suite in chunks.
func TestConformanceInChunks(t *testing.T) {
	for _, topology := range []topology{topologies[0], topologies[4]} {
		t.Run(topology.name, func(t *testing.T) {
			opts := topology.options(t)
			opts.ChunkSize = 4 << 10
			conforms(t, opts)
		})
	}
}

func conforms(t *testing.T, opts redis.Options) {
	opened := make(map[interfaces.Cache]redis.Options)
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache {
			opts := alone(opts)
			c := open(t, opts)
			opened[c] = opts
			return c
		},
		Reopen: func(t *testing.T, closed interfaces.Cache) interfaces.Cache { return open(t, opened[closed]) },
		Damage: func(t *testing.T, c interfaces.Cache, key interfaces.Key) {
			server := behind(t, opened[c])
			names := server.chunks(key)
			if names == nil {
				names = []string{server.name(key)}
			}
			server.flip(names[0])
		},
		MaxBody: 4 << 20,
		Require: []string{
			"Inserter", "Deleter", "Statter", "Lister", "Clearer", "BatchGetter", "BatchPutter", "Pinger", "Consistent", "Closer",
		},
	})
}
