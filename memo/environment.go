// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/tiers"
)

// FromEnvironment returns opts with what the environment says, which wins:
//
//	TIERCE_DETERMINISTIC_MODE         local, global, strict or strict-cached
//	TIERCE_DETERMINISTIC_TIER         the layer of stack that synchronizes, by its name
//	TIERCE_DETERMINISTIC_LEASE        a duration, such as 10s
//	TIERCE_DETERMINISTIC_PREPOPULATE  dumps to start from, separated as in PATH
//	TIERCE_DETERMINISTIC_DUMP         the dump that Close makes
//
// A variable that is not set or empty says nothing. Strict takes no layer: that
// of opts is left out, unless the environment names one too. What makes no sense
// is a *cacheerr.DeterministicCachingInvalidConfigurationError that names the
// variable. A program with a configuration of package config need not call it:
// that reads these variables itself.
func (o DeterministicOptions) FromEnvironment(stack *tiers.Stack) (DeterministicOptions, error) {
	const prefix = deterministicVariable + "_"
	if mode := os.Getenv(prefix + "MODE"); mode != "" {
		o.Mode = Mode(mode)
		if err := o.Mode.known(); err != nil {
			return o, &cacheerr.DeterministicCachingInvalidConfigurationError{Why: prefix + "MODE: " + err.Error()}
		}
		if o.Mode == StrictlyPrepopulated {
			o.Sync = tiers.Layer{}
		}
	}
	if name := os.Getenv(prefix + "TIER"); name != "" {
		layer, err := layerNamed(stack, name)
		if err != nil {
			return o, &cacheerr.DeterministicCachingInvalidConfigurationError{Why: prefix + "TIER: " + err.Error()}
		}
		o.Sync = layer
	}
	if text := os.Getenv(prefix + "LEASE"); text != "" {
		lease, err := time.ParseDuration(text)
		if err != nil || lease <= 0 {
			return o, &cacheerr.DeterministicCachingInvalidConfigurationError{Why: fmt.Sprintf("%sLEASE is %q, and no duration such as 10s", prefix, text)}
		}
		o.Lease = lease
	}
	if paths := filepath.SplitList(os.Getenv(prefix + "PREPOPULATE")); len(paths) > 0 {
		o.Prepopulate = paths
	}
	if path := os.Getenv(prefix + "DUMP"); path != "" {
		o.Dump = path
	}
	return o, nil
}

// layerNamed returns a layer of stack, which may be nil.
func layerNamed(stack *tiers.Stack, name string) (tiers.Layer, error) {
	if stack == nil {
		return tiers.Layer{}, fmt.Errorf("there is no stack to have a layer %q", name)
	}
	var names []string
	for _, layer := range stack.Layers() {
		if layer.Name == name {
			return layer, nil
		}
		names = append(names, layer.Name)
	}
	return tiers.Layer{}, fmt.Errorf("there is no layer %q; there are %q", name, names)
}
