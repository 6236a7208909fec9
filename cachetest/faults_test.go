// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"io"
	"slices"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
)

// fault is a way to be no cache, and the sub-test that notices, with a part of
// what it says.
type fault struct {
	name    string
	subTest string
	says    string
	config  cachetest.Config
}

// by returns the config for a Full after change.
func by(change func(*broken)) cachetest.Config {
	open := func(t *testing.T) interfaces.Cache { return newBroken(t, change) }
	return cachetest.Config{Open: open}
}

func faults() []fault {
	return slices.Concat(
		getFaults(),
		changeFaults(),
		wholeFaults(),
		bodyFaults(),
		badBodyFaults(),
		aliasFaults(),
		headFaults(),
		readerFaults(),
		writerFaults(),
		leakFaults(),
		capabilityFaults(),
		lastingFaults(),
		unusableFaults(),
	)
}

// text returns the body of e, which it closes.
func text(e entry) string {
	body, _ := io.ReadAll(e.Reader()) // half a body is a fault as well
	_ = e.Close()
	return string(body)
}
