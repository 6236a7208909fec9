// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/memory"
)

// open returns a cache that is closed when the test ends.
func open(tb testing.TB, opts memory.Options) *memory.Cache {
	tb.Helper()
	c, err := memory.New(opts)
	if err != nil {
		tb.Fatalf("New(%+v): %v", opts, err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return c
}

var capabilities = []string{"Inserter", "Deleter", "Statter", "Lener", "Clearer", "Lister", "Consistent", "Closer"}

// TestConformance is T9.
func TestConformance(t *testing.T) {
	for name, cfg := range map[string]struct {
		opts      memory.Options
		mayForget bool
	}{
		"no cap":      {opts: memory.Options{}},
		"large cap":   {opts: memory.Options{MaxBytes: 1 << 30, MaxEntries: 1 << 20}},
		"few bytes":   {opts: memory.Options{MaxBytes: 300 << 10}, mayForget: true},
		"few entries": {opts: memory.Options{MaxEntries: 3}, mayForget: true},
	} {
		t.Run(name, func(t *testing.T) {
			suite := cachetest.Config{
				Open: func(t *testing.T) interfaces.Cache {
					t.Helper()
					return open(t, cfg.opts)
				},
				MayForget: cfg.mayForget,
				Require:   capabilities,
			}
			if cfg.opts.MaxBytes > 0 {
				suite.MaxBody = min(8<<20, cfg.opts.MaxBytes-2*memory.Overhead)
			}
			cachetest.Run(t, suite)
		})
	}
}
