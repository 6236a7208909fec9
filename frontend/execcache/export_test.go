// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"context"

	"github.com/tiercecache/tierce/interfaces"
)

// Function is the name of commands as recorded functions.
const Function = function

// Decode returns the result of a command with these outputs that has these
// bytes.
func Decode(ctx context.Context, files interfaces.Cache, outputs []string, data []byte) (Result, error) {
	return codec{ctx, files, outputs}.decode(data)
}

// Encode returns the bytes of a result.
func Encode(ctx context.Context, files interfaces.Cache, r Result) ([]byte, error) {
	return codec{ctx, files, nil}.encode(r)
}

// DifferAt is the place in which two readers differ.
var DifferAt = differAt
